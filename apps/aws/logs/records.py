"""What stands in one log line: its text without the colours of a terminal, or the JSON object that it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

# Where a line's own words may stand in a JSON object, by the libraries that write it.
MESSAGE_KEYS = ("message", "msg", "body", "event", "short_message", "@m")
_TIME_KEYS = ("timestamp", "time", "ts", "@timestamp", "asctime", "timeUnixNano", "@t")
_ISO_TIME_PATTERN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
# Colours and cursors, titles of windows, character sets; in a JSON line the escape character is written as \u001b.
_ESCAPE = r"(?:\x1b|(?<!\\)\\u001[bB])"
_TERMINAL_CODES = re.compile(
    rf"(?:{_ESCAPE}\[|\x9b)[0-?]*[ -/]*[@-~]"
    rf"|{_ESCAPE}\][^\x07\x1b\\]*(?:\x07|\\u0007|{_ESCAPE}\\{{1,2}})?"
    rf"|{_ESCAPE}(?:[()*+#%][0-9A-Za-z]|[0-9=>A-Z\\^_c-~])"
)
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """The text without what would only mean something to a terminal; line ends are newlines, tabs stay."""
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", _TERMINAL_CODES.sub("", text)))


def parse_record(message: str) -> dict[str, Any] | None:
    """A log line that is one JSON object, else None."""
    text = (plain(message) if "\x1b" in message else message).strip()
    if not text.startswith("{"):
        return None
    try:
        record = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def words_of(record: Mapping[str, Any]) -> str | None:
    """What a JSON line says in words; None where it has none."""
    inner = record.get("record")
    if isinstance(inner, dict) and isinstance(inner.get("message"), str):  # loguru
        return str(inner["message"])
    for key in MESSAGE_KEYS:
        value = record.get(key)
        if isinstance(value, dict):  # OpenTelemetry, as its protocol writes it
            value = value.get("stringValue")
        if isinstance(value, str) and value:
            return value
    return None


def written_at(record: Mapping[str, Any]) -> datetime | None:
    """When a JSON line says that it was written (aware, UTC); None where it does not say or nobody could mean it."""
    for key in _TIME_KEYS:
        value = record.get(key)
        if isinstance(value, str):
            return parse_time(value) if not value.isdecimal() else _from_unix(float(value[:30]))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _from_unix(value)
    return None


def parse_time(text: str) -> datetime | None:
    """An ISO 8601 time as aware UTC; one without a zone is UTC, as runtimes run in it."""
    if _ISO_TIME_PATTERN.fullmatch(text) is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _from_unix(value: float) -> datetime | None:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970: told apart by their size, from 2001 to 2286."""
    for factor in (1, 1_000, 1_000_000, 1_000_000_000):
        if 10**9 * factor <= value < 10**10 * factor:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(value * 1_000_000 / factor))
    return None
