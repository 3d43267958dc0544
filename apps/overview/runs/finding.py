"""One page of runs, found without reading the others: a team has a million.

Whatever is asked for, a page looks at so many of the newest runs and no more. Where these hold too few, it says how
far back it looked, and the next page goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, F, FloatField, Func, OuterRef, Q, QuerySet
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from apps.accounts.models import User
from apps.core.search import find, words_of
from apps.overview.runs import asked as asking
from apps.overview.runs.asked import (
    Asked,
    has_tag,
    keys_rated,
    keys_tagged,
    of_few_statuses,
    runs_asked,
    sessions_asked,
    sessions_tagged,
)
from apps.overview.runs.places import NEWEST, ByKey, ByValue, InTime, Place
from apps.sessions.models import Invocation, Session

PAGE_SIZE = 50
FEW_SESSIONS = 200  # of these all runs are looked at
FEW_TAGGED = 2_000  # and of a tag so many
LOOKED_AT = 20_000
SORTED_AT_MOST = 10_000
MATCHES_SORTED = 2_000
COUNTED_TO = 10_000
FOUND_COUNTED_TO = 1_000  # by words: each of them is looked up


class _Milliseconds(Func):
    """An instant as a number of milliseconds, on SQLite to about a tenth."""

    arity = 1
    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="(JULIANDAY(%(expressions)s) * 86400000.0)", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        template = "(EXTRACT(EPOCH FROM %(expressions)s)::double precision * 1000.0)"
        return self.as_sql(compiler, connection, template=template, **context)


_VALUES = {
    asking.TTFT: _Milliseconds(F("first_token_at")) - _Milliseconds(F("invoked_at")),
    asking.TOKENS_IN: Cast(F("input_token_count"), FloatField()),
    asking.TOKENS_OUT: Cast(F("output_token_count"), FloatField()),
    asking.COST: Cast(F("cost_usd"), FloatField()),
    asking.TOTAL: _Milliseconds(F("completed_at")) - _Milliseconds(F("invoked_at")) - Coalesce(F("waited_ms"), 0.0),
}


@dataclass(frozen=True, slots=True)
class Page:
    """The keys of some runs, in order.

    `next` is where the next page begins, None at the end. `looked_back_to` says how far back was looked, where not
    everything was; `count` how many there are, None on later pages, and at least so many where not `is_whole_count`.
    """

    keys: list[int]
    next: Place | None = None
    looked_back_to: datetime | None = None
    count: int | None = None
    is_whole_count: bool = True


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The runs that are asked for, and how they may be read."""

    runs: QuerySet[Invocation]
    are_few: bool
    asked: Asked
    since: datetime | None
    until: datetime | None


def find_runs(
    user: User | AnonymousUser,
    asked: Asked,
    place: Place | None = None,
    *,
    limit: int,
    counts: bool = False,
) -> Page:
    """The page of the runs that `user` may see and that are asked for; with `counts` also how many there are."""
    now = timezone.now()
    own, are_few = _own(sessions_asked(user, asked.chosen), asked.chosen["tag"])
    runs = runs_asked(asked.chosen, now).filter(own)
    if asked.chosen["rated"]:
        rated, are_few_rated = _rated(user, asked.chosen["rated"])
        runs, are_few = runs.filter(rated), are_few or are_few_rated
    wanted = _Wanted(runs, are_few, asked, *asking.period_of(asked.chosen["range"], now))
    words = words_of(asked.text)
    if asked.sort != asking.NEWEST:
        return _by_value(wanted, words, place if isinstance(place, ByValue) else None, limit, counts)
    if words:
        return _by_words(wanted, words, place if isinstance(place, ByKey) else None, limit, counts)
    return _in_time(wanted, place if isinstance(place, InTime) else None, limit, counts)


def place_of(asked: Asked) -> type[Place]:
    """Which kind of place a page of this list begins at; any other is one of another list."""
    if asked.sort != asking.NEWEST:
        return ByValue
    return ByKey if words_of(asked.text) else InTime


def _own(sessions: QuerySet[Session], tag: str) -> tuple[Q, bool]:
    """What is asked of the runs of these sessions, of those of a tag where there is one; and whether they are few."""
    wanted = sessions_tagged(sessions, tag) if tag else sessions
    few = list(wanted.values_list("pk", flat=True)[: FEW_SESSIONS + 1])
    tagged = list(keys_tagged(sessions, tag)[: FEW_TAGGED + 1]) if tag else []
    if len(few) <= FEW_SESSIONS and len(tagged) <= FEW_TAGGED:
        return (Q(session__in=few) | Q(pk__in=tagged) if tagged else Q(session__in=few)), True
    # Asked of each run, newest first, until there are enough: a join is begun with the sessions, which are many.
    of_sessions = Q(Exists(sessions.filter(pk=OuterRef("session_id"))))
    return (of_sessions & has_tag(tag) if tag else of_sessions), False


def _rated(user: User | AnonymousUser, rated: str) -> tuple[Q, bool]:
    """What is asked of runs that somebody has rated; and whether they are few."""
    keys = keys_rated(user, rated)
    few = list(dict.fromkeys(keys[: FEW_TAGGED + 1]))
    if len(few) <= FEW_TAGGED:
        return Q(pk__in=few), True
    return Q(Exists(keys.filter(invocation=OuterRef("pk")))), False


def _floor(wanted: _Wanted, place: InTime | None, count: int) -> InTime | None:
    """The run down to which `count` are looked at; None where that is all, or more than the asked range of time."""
    if wanted.are_few:
        return None
    rows = of_few_statuses(wanted.asked.chosen)
    rows = Invocation.objects.all() if rows is None else rows
    if place is not None:
        rows = rows.filter(place.after)
    if wanted.until is not None:
        rows = rows.filter(requested_at__lt=wanted.until)
    found = next(iter(rows.order_by(*NEWEST).values_list("requested_at", "pk")[count - 1 : count]), None)
    if found is None or (wanted.since is not None and found[0] < wanted.since):
        return None
    return InTime(*found)


def _in_time(wanted: _Wanted, place: InTime | None, limit: int, counts: bool) -> Page:
    floor = _floor(wanted, place, LOOKED_AT)
    rows = wanted.runs if place is None else wanted.runs.filter(place.after)
    if floor is not None:
        rows = rows.filter(floor.before_and_here)
    found = list(rows.order_by(*NEWEST).values_list("requested_at", "pk")[: limit + 1])
    keys = [key for _at, key in found[:limit]]
    count = _count(rows, is_whole=floor is None, counts=counts)
    if len(found) > limit:
        return Page(keys, InTime(*found[limit - 1]), None, *count)
    return Page(keys, floor, None if floor is None else floor.at, *count)


def _count(rows: QuerySet[Invocation], *, is_whole: bool, counts: bool) -> tuple[int | None, bool]:
    if not counts:
        return None, True
    count = rows.order_by()[: COUNTED_TO + 1].count()
    return min(count, COUNTED_TO), is_whole and count <= COUNTED_TO


def _by_words(wanted: _Wanted, words: list[str], place: ByKey | None, limit: int, counts: bool) -> Page:
    below = None if place is None else place.key
    most = max(FOUND_COUNTED_TO, limit) + 1 if counts else limit + 1
    found = find(wanted.runs, "search_text", words, limit=most, enough=limit + 1, below=below, are_few=wanted.are_few)
    keys = found.keys[:limit]
    is_whole = found.older is None and len(found.keys) <= FOUND_COUNTED_TO
    count = (min(len(found.keys), FOUND_COUNTED_TO), is_whole) if counts else (None, True)
    if len(found.keys) > limit:
        return Page(keys, ByKey(keys[-1]), None, *count)
    if found.older is None:
        return Page(keys, None, None, *count)
    return Page(keys, ByKey(found.older), _asked_at(found.older), *count)


def _asked_at(key: int) -> datetime | None:
    """When the run of a key, or the next one after it, was asked for."""
    rows = Invocation.objects.filter(pk__gte=key).order_by("pk")
    return next(iter(rows.values_list("requested_at", flat=True)[:1]), None)


def _by_value(wanted: _Wanted, words: list[str], place: ByValue | None, limit: int, counts: bool) -> Page:
    """In the order of a figure, of which there is no index: among the newest."""
    name = wanted.asked.sort.removeprefix("-")
    is_down = wanted.asked.sort.startswith("-")
    rows, looked_back_to = wanted.runs, None
    if words:
        found = find(rows, "search_text", words, limit=MATCHES_SORTED, are_few=wanted.are_few)
        looked_back_to = None if found.older is None else _asked_at(found.older)
        rows = Invocation.objects.filter(pk__in=found.keys)
        count, is_whole = (len(found.keys) if counts else None), found.older is None
    else:
        if floor := _floor(wanted, None, SORTED_AT_MOST):
            rows, looked_back_to = rows.filter(floor.before_and_here), floor.at
        count, is_whole = _count(rows, is_whole=looked_back_to is None, counts=counts)
    valued = rows.annotate(value=_VALUES[name])
    if place is not None:
        valued = valued.filter(place.after(is_down=is_down))
    first = F("value").desc(nulls_last=True) if is_down else F("value").asc(nulls_last=True)
    page = list(valued.order_by(first, "-pk").values_list("value", "pk")[: limit + 1])
    following = ByValue(*page[limit - 1]) if len(page) > limit else None
    return Page([key for _value, key in page[:limit]], following, looked_back_to, count, is_whole)
