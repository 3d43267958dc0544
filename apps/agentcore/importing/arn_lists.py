"""Reading lists of ARNs as people have them: a text with one a line, CSV, JSON.

JSON may be a list of ARNs, a list of objects, or what `aws bedrock-agentcore-control list-agent-runtimes` prints.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

ListFormat = Literal["lines", "csv", "json"]

ARN_COLUMN = "arn"
_ARN_KEYS = (ARN_COLUMN, "agentRuntimeArn")
_WRAPPER_KEY = "agentRuntimes"
_SEPARATORS = ",;\t"
_COMMENT = "#"


class ArnListError(ValueError):
    """A text that is no list of ARNs as a whole; the message says what is wrong and what was expected."""


@dataclass(frozen=True, slots=True)
class ArnEntry:
    """One entry: `place` says where it stands ("line 7", "item 3"), `text` is unchecked and empty where missing."""

    place: str
    text: str


def read_arns(text: str, list_format: ListFormat | None = None) -> list[ArnEntry]:
    """Read the entries in the order of the list; without `list_format` it is recognised by its beginning.

    Raises ArnListError. Whether an entry is an ARN is not checked here.
    """
    text = text.removeprefix("\ufeff")
    found = list_format or _recognise(text)
    if found == "json":
        return list(_from_json(text))
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not _is_blank(line)]
    return list(_from_csv(lines) if found == "csv" else _from_lines(lines))


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith(_COMMENT)


def _recognise(text: str) -> ListFormat:
    if text.lstrip().startswith(("[", "{")):
        return "json"
    first = next((line for line in text.splitlines() if not _is_blank(line)), "")
    return "csv" if _arn_column(_cells(first)) is not None else "lines"


def _from_lines(lines: list[tuple[int, str]]) -> Iterator[ArnEntry]:
    for number, line in lines:
        yield ArnEntry(f"line {number}", line.split(_COMMENT, 1)[0].strip())


def _separator(header: str) -> str:
    return max(_SEPARATORS, key=header.count)


def _cells(header: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=_separator(header)), [])
    except csv.Error:
        return []


def _arn_column(header: list[str]) -> int | None:
    names = [cell.strip().lower() for cell in header]
    return names.index(ARN_COLUMN) if ARN_COLUMN in names else None


def _from_csv(lines: list[tuple[int, str]]) -> Iterator[ArnEntry]:
    if not lines:
        return
    column = _arn_column(_cells(lines[0][1]))
    if column is None:
        raise ArnListError("The first line of the CSV names no column arn. Expected a header such as: name,arn.")
    rows = csv.reader((f"{line}\n" for _, line in lines[1:]), delimiter=_separator(lines[0][1]))
    try:
        for row in rows:
            yield ArnEntry(f"line {lines[rows.line_num][0]}", row[column].strip() if column < len(row) else "")
    except csv.Error as error:
        raise ArnListError(f"The CSV cannot be read at line {lines[rows.line_num][0]}: {error}.") from None


def _from_json(text: str) -> Iterator[ArnEntry]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ArnListError(f"This is not JSON{where}. Expected a list of ARNs or of objects with arn.") from None
    if isinstance(value, dict):
        value = value.get(_WRAPPER_KEY)
    if not isinstance(value, list):
        raise ArnListError("The JSON is not a list. Expected a list of ARNs or of objects with arn.")
    for number, item in enumerate(value, 1):
        yield ArnEntry(f"item {number}", _arn_of(item).strip())


def _arn_of(item: Any) -> str:
    if isinstance(item, dict):
        item = next((item[key] for key in _ARN_KEYS if key in item), "")
    return item if isinstance(item, str) else ""
