"""A list of rows: filtered, sorted and paged by what its address says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from django.core.paginator import Page
from django.db.models import QuerySet
from django.http import QueryDict

from apps.core.tables.columns import Columns, Head
from apps.core.tables.filters import Choice, Choices, FilterForm, RowT, Wanted
from apps.core.tables.page import page_by_key, page_of

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Words

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Listing(Generic[RowT]):
    """What a template shows of a list.

    `form` is None where nobody can choose. `own_sort` is the order where it is not the default one; `is_narrowed` says
    whether a row can have been left out.
    """

    wanted: Wanted
    form: FilterForm | None
    heads: Mapping[str, Head]
    page: Page[Any]
    rows: list[RowT]
    own_sort: str
    is_narrowed: bool


@dataclass(frozen=True, slots=True)
class Table(Generic[RowT]):
    """How a list is searched, filtered, sorted and paged; `label` names its search.

    `read` gives the rows of a page by their keys, where more is shown of each than is needed to find it.
    """

    label: Words
    columns: Columns
    search: Callable[[QuerySet[RowT], str], QuerySet[RowT]]
    filters: tuple[Choice[RowT], ...]
    read: Callable[[list[Any]], Mapping[Any, RowT]] | None = None
    page_size: int = PAGE_SIZE

    def wanted(self, text: str = "", sort: str = "", **chosen: str) -> Wanted:
        """What is wanted where no address says it."""
        return Wanted(text, sort or self.columns.default, {choice.name: "" for choice in self.filters} | chosen)

    def keep(self, rows: QuerySet[RowT], wanted: Wanted, *, but: str = "") -> QuerySet[RowT]:
        """Those of `rows` that the search and the filters keep, the filter named `but` not asked."""
        rows = self.search(rows, wanted.text)
        for choice in self.filters:
            if choice.name != but:
                rows = choice.kept(rows, wanted.chosen[choice.name])
        return rows

    def find(self, rows: QuerySet[RowT], wanted: Wanted) -> QuerySet[RowT]:
        """Those of `rows` that are wanted, in the order that is wanted."""
        return self.keep(rows, wanted).order_by(*self.columns.order_by(wanted.sort))

    def asked(
        self, rows: QuerySet[RowT], query: QueryDict, given: Mapping[str, Choices] | None = None
    ) -> QuerySet[RowT]:
        """All of `rows` that an address asks for, on whatever page, in its order; `given` as in `listing`."""
        return self.find(rows, self._form(rows, query, given).wanted(self.columns.default))

    def listing(
        self, rows: QuerySet[RowT], query: QueryDict, given: Mapping[str, Choices] | None = None
    ) -> Listing[RowT]:
        """The page of `rows` that an address asks for; `given` has the values of filters that `rows` do not tell."""
        form = self._form(rows, query, given)
        return self._listing(rows, query, form.wanted(self.columns.default), form)

    def _form(self, rows: QuerySet[RowT], query: QueryDict, given: Mapping[str, Choices] | None) -> FilterForm:
        told = given or {}
        choices = [(one, told[one.name] if one.name in told else one.choices(rows)) for one in self.filters]
        return FilterForm(query, choices, self.columns.orders, self.label)

    def listing_of(self, rows: QuerySet[RowT], query: QueryDict, wanted: Wanted) -> Listing[RowT]:
        """The same for what is wanted, whatever the address says but the page's number."""
        return self._listing(rows, query, wanted, None)

    def _listing(
        self, rows: QuerySet[RowT], query: QueryDict, wanted: Wanted, form: FilterForm | None
    ) -> Listing[RowT]:
        found = self.find(rows, wanted)
        size = self.page_size
        page = page_of(found, query, size) if self.read is None else page_by_key(found, query, size, self.read)
        return Listing(
            wanted=wanted,
            form=form,
            heads=self.columns.heads(wanted.sort, query),
            page=page,
            rows=list(page.object_list),
            own_sort=wanted.sort if wanted.sort != self.columns.default else "",
            is_narrowed=self._is_narrowed(wanted),
        )

    def _is_narrowed(self, wanted: Wanted) -> bool:
        parts = {choice.name: choice.parts for choice in self.filters}
        return bool(wanted.text) or any(value and value not in parts[name] for name, value in wanted.chosen.items())
