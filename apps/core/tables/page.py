"""One page of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import QueryDict

RowT = TypeVar("RowT", bound=Model)


if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

COUNTED_TO = 10_000  # to count a million rows takes longer than to show fifty of them


class ListPaginator(_Paginator):
    """Counts rows of the database to `COUNTED_TO`, and all of them only for a page that lies behind those."""

    is_all_counted = False

    @cached_property
    def count(self) -> int:
        """How many rows there are; where that is more than are counted, one more than these, so that a page follows."""
        rows = self.object_list
        if self.is_all_counted or not isinstance(rows, QuerySet):
            return super().count
        return min(rows.order_by()[: COUNTED_TO + 1].count(), COUNTED_TO + 1)

    @property
    def count_text(self) -> str:
        """How many rows there are, as far as they are counted."""
        return f"{COUNTED_TO:,}+" if self.is_cut else f"{self.count:,}"

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than are counted."""
        return not self.is_all_counted and isinstance(self.object_list, QuerySet) and self.count > COUNTED_TO

    def get_page(self, number: Any) -> Page[Any]:
        if str(number).isdecimal() and int(number) * self.per_page > COUNTED_TO and self.is_cut:
            self.is_all_counted = True
            for known in ("count", "num_pages"):
                self.__dict__.pop(known, None)
        return super().get_page(number)


def page_of(rows: Any, query: QueryDict, size: int) -> Page[Any]:
    """The page that the address asks for; the nearest one where there is none of this number."""
    return ListPaginator(rows, size).get_page(query.get("page", "1")[:9])


def page_by_key(
    found: QuerySet[RowT], query: QueryDict, size: int, read: Callable[[list[Any]], Mapping[Any, RowT]]
) -> Page[Any]:
    """The same, where `read` gives the rows of some keys.

    What it adds to each row is then read for one page only: for all that were found it would cost seconds.
    """
    page = page_of(found.values_list("pk", flat=True), query, size)
    keys = list(page.object_list)
    rows = read(keys)
    page.object_list = [rows[key] for key in keys if key in rows]
    return page
