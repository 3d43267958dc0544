"""What narrows a list: its search, its choices, and the form that reads them from an address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from django import forms
from django.db.models import Model, QuerySet
from django.http import QueryDict

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Words

RowT = TypeVar("RowT", bound=Model)
Choices = list[tuple[str, "Words"]]

TEXT_LENGTH = 200
LONGEST_VALUE = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asked a list for; an empty text or choice asks for nothing."""

    text: str
    sort: str
    chosen: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Choice(Generic[RowT]):
    """A filter by one of several values; `anything` is how the empty one is called.

    The values are what `values` gives, or those that occur in `column`, called by `word`. Rows are kept that have the
    value in that column, or those that `keep` keeps, which is asked for the empty value too. `parts` are the values
    that show another part of the list, and not less of it. The filter is offered only where there are `offered_from`
    values to choose between. One that `is_open` takes a value that it does not offer: not all are listed, and an old
    link may ask for one that is gone.
    """

    name: str
    label: Words
    anything: Words
    column: str = ""
    values: Callable[[QuerySet[RowT]], Choices] | None = None
    keep: Callable[[QuerySet[RowT], str], QuerySet[RowT]] | None = None
    word: Callable[[str], str] = str
    parts: frozenset[str] = frozenset()
    offered_from: int = 0
    is_open: bool = False

    def choices(self, rows: QuerySet[RowT]) -> Choices:
        """The values to choose between, and how each is called."""
        if self.values is not None:
            return self.values(rows)
        return [(value, self.word(value)) for value in values_of(rows, self.column)]

    def kept(self, rows: QuerySet[RowT], value: str) -> QuerySet[RowT]:
        """Those of `rows` that the value keeps."""
        if self.keep is not None:
            return self.keep(rows, value)
        return rows.filter(**{self.column: value}) if value else rows


def values_of(rows: QuerySet[RowT], column: str) -> list[str]:
    """The different values of a column, in order; rows that have none add none."""
    return list(rows.exclude(**{column: None}).order_by(column).values_list(column, flat=True).distinct())


class FilterForm(forms.Form):
    """A list's query string. A value that cannot be meant is left out, so that an old link still shows a list."""

    def __init__(
        self, query: QueryDict, choices: Iterable[tuple[Choice[RowT], Choices]], orders: list[str], label: Words
    ) -> None:
        super().__init__(_without_nul(query))
        self.fields["q"] = forms.CharField(label=label, required=False, max_length=TEXT_LENGTH)
        self._names: list[str] = []
        self._offered: list[str] = []
        for choice, listed in choices:
            asked = self.data.get(choice.name, "")
            is_added = choice.is_open and 0 < len(asked) <= LONGEST_VALUE and asked not in dict(listed)
            values = [*listed, (asked, asked)] if is_added else listed
            named = [("", choice.anything), *values]
            self.fields[choice.name] = forms.ChoiceField(label=choice.label, required=False, choices=named)
            self._names.append(choice.name)
            if len(values) >= choice.offered_from or asked:
                self._offered.append(choice.name)
        self.fields["sort"] = forms.ChoiceField(required=False, choices=[(order, order) for order in orders])

    @property
    def offered(self) -> list[forms.BoundField]:
        """The filters that can leave something out, and those that are in use."""
        return [self[name] for name in self._offered]

    def wanted(self, default_sort: str) -> Wanted:
        """What was asked for, as far as it is valid."""
        self.full_clean()
        valid = self.cleaned_data
        chosen = {name: valid.get(name, "") for name in self._names}
        return Wanted(text=valid.get("q", ""), sort=valid.get("sort") or default_sort, chosen=chosen)


def _without_nul(query: QueryDict) -> QueryDict:
    """PostgreSQL takes no NUL."""
    cleaned = query.copy()
    for name, values in query.lists():
        cleaned.setlist(name, [value.replace("\0", "") for value in values])
    return cleaned
