"""The same service for each of several rows, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import QueryDict

from apps.core.exceptions import InvalidInputError, LoomError
from apps.core.tables.filters import RowT

ROWS_AT_ONCE = 50  # what one page shows


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row; `error` says why it was not done, and is empty where it was; `note` what was done."""

    name: str
    error: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.error}" if self.error else self.name

    @property
    def is_done(self) -> bool:
        return not self.error


def checked_rows(visible: QuerySet[RowT], form: QueryDict, *, name: str = "row") -> list[RowT]:
    """The rows that are checked in a form, in the order of `visible`; what is not among those is as if not checked.

    Raises InvalidInputError when nothing is checked that there is, or more than `ROWS_AT_ONCE`.
    """
    keys = {key for key in form.getlist(name) if key.isascii() and key.isdecimal() and len(key) < 19}
    if len(keys) > ROWS_AT_ONCE:
        raise InvalidInputError(
            f"{len(keys):,} rows are checked.", advice=f"Check at most {ROWS_AT_ONCE} and do the others afterwards."
        )
    rows = list(visible.filter(pk__in=keys)) if keys else []
    if not rows:
        raise InvalidInputError("Nothing is checked.", advice="Check the rows that it is to be done to.")
    return rows


def apply(rows: Iterable[RowT], service: Callable[[RowT], object], *, done: str = "") -> list[Outcome]:
    """Carry out a service for one row after the other; `done` notes what it did. A refusal of one stops none of the
    others.
    """
    outcomes = []
    for row in rows:
        name = str(row)  # a row that is deleted still has its name
        try:
            service(row)
        except LoomError as error:
            outcomes.append(Outcome(name, error.text()))
        else:
            outcomes.append(Outcome(name, note=done))
    return outcomes
