"""One page of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import QueryDict

RowT = TypeVar("RowT", bound=Model)


def page_of(rows: Any, query: QueryDict, size: int) -> Page[Any]:
    """The page that the address asks for; the nearest one where there is none of this number."""
    return Paginator(rows, size).get_page(query.get("page"))


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
