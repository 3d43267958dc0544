"""Reading lists of ARNs as people have them.

A text with one a line, CSV, JSON, what AWS's command line prints as text or as a table, and the file that the starter
toolkit writes. JSON may be a list of ARNs, a list of objects, an object that holds some, or one of these a line.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from apps.aws.arn import arns_in

ListFormat = Literal["lines", "csv", "json"]

_ARN_COLUMNS = {"arn", "agentruntimearn", "agentarn", "runtimearn"}
_WRAPPER_KEY = "agentRuntimes"
_SEPARATORS = ",;\t"
_COMMENT = "#"
_SECTION = re.compile(r"\s*\[[A-Za-z][\w.-]*\][ \t]*\r?\n")  # of a file of settings
# Lines of a description rather than of a list: `agents:`, `name = x`, or the frame of a table.
_DESCRIBES = re.compile(r"\s*(?:-\s+)?[\w.\"-]+\s*(?::(?=\s|$)|=)|\s*[|+]|\s*-{3,}\s*$")
_SAYS_ARN = re.compile(
    r"""(?:-\s+)?["']?(?:arn|(?:agent|agent_?runtime|runtime)_?arn)["']?\s*[:=]\s*"""
    r"""(?!(?:null|~|''|"")?,?$)(?P<value>\S.*)""",
    re.IGNORECASE,
)


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
    if found == "json" and not _is_nearly_json(text):
        return list(_from_json(text))
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not _is_blank(line)]
    if found == "csv" and not (_has_no_header(lines)):
        return list(_from_csv(lines))
    return list(_from_lines(lines, is_description=found != "lines" or _is_description(lines)))


def _is_nearly_json(text: str) -> bool:
    """A list as Python or Terraform writes it, or JSON with comments: whole, with ARNs in it, but not JSON."""
    if not text.rstrip().endswith(("]", "}")) or not _runtimes_in(text):
        return False
    try:
        _loaded(text)
    except ArnListError:
        return True
    return False


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith(_COMMENT)


def _recognise(text: str) -> ListFormat:
    if text.lstrip().startswith(("[", "{")) and not _SECTION.match(text):
        return "json"
    first = next((line for line in text.splitlines() if not _is_blank(line)), "")
    return "csv" if _arn_column(_cells(first)) is not None else "lines"


def _is_description(lines: list[tuple[int, str]]) -> bool:
    return any(_DESCRIBES.match(line) for _, line in lines) and any(map(_runtimes_in, (line for _, line in lines)))


def _runtimes_in(line: str) -> list[str]:
    return [arn for arn in arns_in(line) if ":runtime/" in arn]


def _from_lines(lines: list[tuple[int, str]], *, is_description: bool) -> Iterator[ArnEntry]:
    """An entry for each ARN, and for each line that holds none but should.

    That is any in a list, and in a description one that says that it is the ARN of a runtime.
    """
    for number, line in lines:
        text = line.split(_COMMENT, 1)[0].strip()
        if not is_description:
            texts = arns_in(text) or [text]
        else:
            said = _SAYS_ARN.fullmatch(text)
            texts = _runtimes_in(text) or ([said["value"]] if said else [])
        yield from (ArnEntry(f"line {number}", found) for found in texts)


def _separator(header: str) -> str:
    return max(_SEPARATORS, key=header.count)


def _cells(header: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=_separator(header)), [])
    except csv.Error:
        return []


def _arn_column(header: list[str]) -> int | None:
    names = [_plain_name(cell) for cell in header]
    return next((place for place, name in enumerate(names) if name in _ARN_COLUMNS), None)


def _plain_name(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _has_no_header(lines: list[tuple[int, str]]) -> bool:
    """No column is named as that of the ARNs, but there are some."""
    is_named = bool(lines) and _arn_column(_cells(lines[0][1])) is not None
    return not is_named and any(_runtimes_in(line) for _, line in lines)


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
    value = _loaded(text)
    if isinstance(value, dict):
        value = value[_WRAPPER_KEY] if _WRAPPER_KEY in value else list(_runtimes_of(value)) or None
    if not isinstance(value, list):
        raise ArnListError("The JSON is not a list. Expected a list of ARNs or of objects with arn.")
    for number, item in enumerate(value, 1):
        yield ArnEntry(f"item {number}", _arn_of(item).strip())


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        failure = error
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        where = f" at line {failure.lineno}" if isinstance(failure, json.JSONDecodeError) else ""
        message = f"This is not JSON{where}. Expected a list of ARNs or of objects with arn."
        raise ArnListError(message) from None


def _runtimes_of(value: Any, depth: int = 0) -> Iterator[str]:
    """The ARNs of runtimes anywhere in a JSON value; not endless where that is."""
    if isinstance(value, str):
        yield from _runtimes_in(value)
    elif isinstance(value, dict | list) and depth < 50:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _runtimes_of(inner, depth + 1)


def _arn_of(item: Any) -> str:
    if isinstance(item, dict):
        named = (inner for key, inner in item.items() if _plain_name(key) in _ARN_COLUMNS)
        item = next(named, None) or next(_runtimes_of(item), "")
    return item if isinstance(item, str) else ""
