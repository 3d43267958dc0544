"""Prompts with their checks out of a file: one JSON object a line, or CSV with a head. What is wrong names its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from apps.agents.forms import PROMPT_MAX_LENGTH
from apps.core.exceptions import InvalidInputError
from apps.metrics.checks.deciding import checked
from loom_events.storable import storable_text

MAX_PROMPTS = 1_000
MAX_BYTES = 2_000_000
# Columns of CSV that stand for a check each, beside `prompt` and `checks` (JSON).
SHORT_CHECKS = {
    "contains": ("contains", "text"),
    "regex": ("regex", "pattern"),
    "tool": ("tool_called", "name"),
    "max_ttft_ms": ("max_ttft", "ms"),
    "max_cost_usd": ("max_cost", "usd"),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt and what is wanted of its answer."""

    text: str
    checks: list[dict[str, Any]] = field(default_factory=list)


class FileError(InvalidInputError):
    """What of a file cannot be used, and in which line."""

    code = "invalid_file"


def read_file(name: str, content: bytes) -> list[Prompt]:
    """The prompts of a file by its name's end, .csv, .jsonl or .ndjson. Raises FileError."""
    if len(content) > MAX_BYTES:
        raise FileError(f"The file has {len(content):,} bytes; at most {MAX_BYTES:,} are read.")
    ending = name.rpartition(".")[2].lower()
    if ending not in {"csv", "jsonl", "ndjson"}:
        raise FileError("The file has to be .csv, .jsonl or .ndjson.", advice="JSONL is one JSON object a line.")
    return read_text(_decoded(content), is_csv=ending == "csv")


def text_of_file(content: bytes) -> str | None:
    """What a file says, to be mended where it is shown; None where it is no text, or too much of it."""
    try:
        return _decoded(content) if len(content) <= MAX_BYTES else None
    except FileError:
        return None


def _decoded(content: bytes) -> str:
    """UTF-8 with or without a mark, or UTF-16 with one, as spreadsheets write them."""
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise FileError(f"Line {line} is not UTF-8.", advice="Save the file as UTF-8 and send it again.") from None


def read_text(text: str, *, is_csv: bool) -> list[Prompt]:
    """The prompts of a text, in its order. Raises FileError."""
    found: list[Prompt] = []
    for line, row in _csv_rows(text) if is_csv else _json_rows(text):
        try:
            found.append(prompt_of(row))
        except InvalidInputError as error:
            raise FileError(f"Line {line}: {error}") from None
        if len(found) > MAX_PROMPTS:
            raise FileError(f"A set has at most {MAX_PROMPTS:,} prompts; line {line} is one too many.")
    if not found:
        raise FileError("The file holds no prompt.")
    return found


def prompt_of(row: Any) -> Prompt:
    """A prompt out of an object with `prompt` and `checks`. Raises InvalidInputError."""
    if not isinstance(row, dict):
        raise InvalidInputError("A prompt is an object with `prompt` and, if wanted, `checks`.")
    if unknown := row.keys() - {"prompt", "checks"}:
        raise InvalidInputError(f"A prompt has no {min(map(str, unknown))[:40]}, only `prompt` and `checks`.")
    text = row.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError("The prompt is empty.")
    if len(text) > PROMPT_MAX_LENGTH:
        raise InvalidInputError(f"A prompt has at most {PROMPT_MAX_LENGTH:,} characters; this one has {len(text):,}.")
    checks = checked(row.get("checks") or [])
    try:
        kept = json.dumps([text, checks], ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise InvalidInputError("Its checks hold a number that JSON does not know.") from None
    if storable_text(kept) != kept or "\\u0000" in kept:
        raise InvalidInputError("It holds characters that cannot be stored.")
    return Prompt(text, checks)


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                raise FileError(f"Line {number} is not JSON.", advice="Each line is one object.") from None


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or []]
        if "prompt" not in names or len(set(names)) != len(names):
            raise FileError("The first line has to name the columns, each once, `prompt` among them.")
        if unknown := set(names) - {"prompt", "checks", *SHORT_CHECKS}:
            raise FileError(f"Line 1: no column {min(unknown)[:40]!r} is known.", advice=f"Known: {_columns()}.")
        reader.fieldnames = names
        for row in reader:
            if None in row or None in row.values():
                raise FileError(f"Line {reader.line_num} has another number of columns than the first line.")
            yield reader.line_num, _from_columns(row, reader.line_num)
    except csv.Error as error:
        raise FileError(f"Line {reader.line_num} is not CSV: {error}.") from None


def _columns() -> str:
    return ", ".join(["prompt", "checks", *SHORT_CHECKS])


def _from_columns(row: dict[str, str], line: int) -> dict[str, Any]:
    try:
        checks = json.loads(row["checks"]) if row.get("checks", "").strip() else []
    except (ValueError, RecursionError):
        raise FileError(f"Line {line}: its checks are not JSON.") from None
    if not isinstance(checks, list):
        raise FileError(f"Line {line}: its checks are no list.")
    for column, (kind, word) in SHORT_CHECKS.items():
        value = row.get(column, "")
        if value.strip():
            checks.append({"kind": kind, word: value.strip() if kind.startswith("max_") else value})
    return {"prompt": row["prompt"], "checks": checks}
