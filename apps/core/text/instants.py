"""An instant as programs give it: ISO 8601 with a time zone, or Unix seconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

# Outside of it neither a log line nor a run can be; near the ends of what Python knows, sums of instants fail.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2999, 12, 31, tzinfo=UTC)


def parse_instant(value: Any) -> Any:
    """An aware datetime of what a query holds; raises ValueError with what is taken."""
    if value is None:
        return None
    at = value if isinstance(value, datetime) else _of_number(value) or _of_text(str(value))
    if at.tzinfo is None:
        raise ValueError("an instant needs its time zone: end it with Z for UTC")
    if not EARLIEST.timestamp() <= at.timestamp() <= LATEST.timestamp():
        raise ValueError("an instant lies between the years 1970 and 2999")
    return at


def _of_number(value: Any) -> datetime | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(seconds) or not 0 <= seconds <= LATEST.timestamp():
        raise ValueError("an instant in Unix seconds lies between the years 1970 and 2999")
    return datetime.fromtimestamp(seconds, UTC)


def _of_text(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError("an instant is ISO 8601 with a time zone, as 2026-11-20T12:00:00Z, or Unix seconds") from None


SCHEMA = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0}]}
Instant = Annotated[datetime, BeforeValidator(parse_instant), WithJsonSchema(SCHEMA)]
