"""A list as a CSV file: the rows that its address asks for, sent while they are read.

Spreadsheets take a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end for a formula, also out of a file:
text of that kind gets an apostrophe before it. Numbers are numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _

from apps.core.requests.streaming import streamed
from apps.core.tables.filters import RowT

MOST_ROWS = 100_000
ROWS_AT_ONCE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
            "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip


@dataclass(frozen=True, slots=True)
class CsvColumn(Generic[RowT]):
    """A column of the file: the key in its head, which programs read by, and its value of a row."""

    key: str
    value: Callable[[RowT], object]


class _Line:
    """Takes what a csv writer writes."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def taken(self) -> bytes:
        text, self.text = self.text, ""
        return text.encode("utf-8", "replace")


def cell(value: object) -> str:
    """A value as a cell that no program takes for a formula; instants are ISO 8601 in UTC, None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def csv_lines(heads: Sequence[str], rows: Iterable[Sequence[object]], *, most: int = MOST_ROWS) -> Iterator[bytes]:
    """A file of these rows, RFC 4180, UTF-8; where there are more than `most`, the last line says so."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(heads)
    yield line.taken()
    for position, row in enumerate(rows):
        if position == most:
            writer.writerow([_("Only the first %(most)s rows: narrow the list.") % {"most": f"{most:,}"}])
            yield line.taken()
            return
        writer.writerow([cell(value) for value in row])
        yield line.taken()


def csv_response(
    request: HttpRequest, name: str, heads: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """The rows as a file of the reader's; `name` is one of ours, without an end."""
    response = streamed(request, csv_lines(heads, rows), content_type="text/csv; charset=utf-8; header=present")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def table_csv(
    request: HttpRequest,
    name: str,
    columns: Sequence[CsvColumn[RowT]],
    found: QuerySet[RowT],
    read: Callable[[list[Any]], Mapping[Any, RowT]],
) -> StreamingHttpResponse:
    """The rows that were found (`Table.find`), in their order, each read as `read` reads those of a page."""
    rows = ([column.value(row) for column in columns] for row in in_batches(found, read))
    return csv_response(request, name, [column.key for column in columns], rows)


def in_batches(found: QuerySet[RowT], read: Callable[[list[Any]], Mapping[Any, RowT]]) -> Iterator[RowT]:
    """The rows by their keys, some at a time: nothing stays open between two readings. One more than a file holds."""
    keys = list(found.values_list("pk", flat=True)[: MOST_ROWS + 1])
    for at in range(0, len(keys), ROWS_AT_ONCE):
        batch = keys[at : at + ROWS_AT_ONCE]
        rows = read(batch)
        yield from (rows[key] for key in batch if key in rows)
