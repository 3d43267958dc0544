"""The columns that a list can be sorted by, their orders, and the links in their heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import F, Func
from django.db.models.expressions import OrderBy
from django.http import QueryDict

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Words


@dataclass(frozen=True, slots=True)
class Column:
    """A column that rows can be ordered by; rows without the value come last in either direction.

    `then` decides among equal values before the list's own tie-breakers do. `starts_down` says that the first click
    shows the highest. Where each row `is_complete` nothing is said of those without a value: an index in that order is
    then one for either database. Without `by` the rows are no rows of the database, and whoever has them puts them into
    order.
    """

    key: str
    label: Words
    by: F | Func | None = None
    then: tuple[str, ...] = ()
    starts_down: bool = False
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head as shown: `direction` is "ascending", "descending" or empty, `href` what a click asks for."""

    label: Words
    direction: str
    href: str


class Columns:
    """The columns of a list, the order that is meant when nobody asks for one, and what decides where values are equal.

    An order is written as in the address: a column's key, or the key with a minus.
    """

    def __init__(self, *columns: Column, default: str, ties: tuple[OrderBy | str, ...] = ()) -> None:
        self._columns = {column.key: column for column in columns}
        self._ties = ties
        self.default = default
        self.orders = [*self._columns, *(f"-{key}" for key in self._columns)]

    def order_by(self, order: str) -> list[OrderBy | str]:
        """What a queryset is ordered by."""
        column = self._columns[order.removeprefix("-")]
        assert column.by is not None, "these rows are no rows of the database"
        is_down = order.startswith("-")
        last = None if column.is_complete else True
        first = column.by.desc(nulls_last=last) if is_down else column.by.asc(nulls_last=last)
        return [first, *column.then, *self._ties]

    def heads(self, order: str, query: QueryDict) -> dict[str, Head]:
        """The head of each column by its key. Its link keeps the query's other parameters, and begins at page one."""
        return {column.key: _head(column, order, query) for column in self._columns.values()}


def _head(column: Column, order: str, query: QueryDict) -> Head:
    up, down = column.key, f"-{column.key}"
    direction = {up: "ascending", down: "descending"}.get(order, "")
    wanted = down if order == up or (order != down and column.starts_down) else up
    changed = query.copy()
    changed.pop("page", None)
    changed["sort"] = wanted
    return Head(column.label, direction, f"?{changed.urlencode()}")
