"""The newest invocations of some sessions, found without reading the others: a month holds a hundred thousand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from heapq import nlargest

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from apps.metrics.selectors import startup_of
from apps.sessions.models import Invocation, Session

FEW_SESSIONS = 200
NEWEST_LOOKED_AT = 5_000
LOOKED_AT = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"(\d{1,17})-(\d{1,18})")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of all invocations, the newest first: that of one of them. Written as in an address."""

    at: datetime
    key: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.key}"

    @classmethod
    def read(cls, text: str) -> Place | None:
        """The place that an address names; None where it names none."""
        found = _PLACE.fullmatch(text) if text.isascii() else None
        return None if found is None else cls(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))

    @property
    def older(self) -> Q:
        """What comes after it."""
        return Q(requested_at__lt=self.at) | Q(requested_at=self.at, pk__lt=self.key)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which invocations of some sessions: requested in [start, end), and older than a place where there is one.

    An empty version, status or code asks for any.
    """

    start: datetime
    end: datetime
    version: str = ""
    statuses: Sequence[str] = ()
    error_code: str = ""
    before: Place | None = None

    def runs(self) -> QuerySet[Invocation]:
        """All of them but for their statuses, which are asked for one by one."""
        runs = Invocation.objects.filter(requested_at__gte=self.start, requested_at__lt=self.end)
        if self.version:
            runs = runs.filter(version=self.version)
        if self.error_code:
            runs = runs.filter(error_code=self.error_code)
        return runs if self.before is None else runs.filter(self.before.older, requested_at__lte=self.before.at)


@dataclass(frozen=True, slots=True)
class RecentInvocation:
    """A row of the list of recent invocations."""

    run: Invocation
    startup_ms: float | None

    @property
    def reason(self) -> str:
        """Why it failed: the error's code and the first line of its message; empty where it did not."""
        return reason_of(self.run.error_code, self.run.error_message)


@dataclass(frozen=True, slots=True)
class Page:
    """Some invocations, the newest first; `older` is where the next ones begin, None at the end."""

    rows: list[RecentInvocation]
    older: Place | None


@dataclass(frozen=True, slots=True)
class Failures:
    """Invocations that failed for the same reason, but for the numbers in it; the reason is that of the newest."""

    error_code: str
    reason: str
    count: int
    newest_at: datetime


def reason_of(code: str, message: str) -> str:
    """Why something failed, on one line."""
    line = next(iter(message.strip().splitlines()), "").strip()
    return ": ".join(part for part in (code, line) if part)


def recent_invocations(sessions: QuerySet[Session], asked: Asked, limit: int = 20) -> Page:
    """The newest of the invocations of `sessions` that are asked for, with the startup latency where one is known. The
    answers stay in the database.
    """
    found = nlargest(limit + 1, _newest(sessions, asked, limit + 1))
    rows = list(
        Invocation.objects.filter(pk__in=[pk for _, pk in found[:limit]])
        .select_related("session__agent", "measurement")
        .defer("response_text", "payload", "session__agent__former_raw_metadata")
        .order_by("-requested_at", "-pk")
    )
    older = Place(*found[limit - 1]) if len(found) > limit else None
    return Page([RecentInvocation(row, startup_of(row)) for row in rows], older)


def failures_by_reason(sessions: QuerySet[Session], asked: Asked) -> list[Failures]:
    """Why those that are asked for failed, the most frequent reason first; the newest `LOOKED_AT` are looked at."""
    keys = [pk for _, pk in nlargest(LOOKED_AT, _newest(sessions, replace(asked, before=None), LOOKED_AT))]
    names = ("error_code", "error_message", "requested_at")
    groups: dict[tuple[str, str], Failures] = {}
    for code, message, at in (
        Invocation.objects.filter(pk__in=keys).order_by("-requested_at", "-pk").values_list(*names)
    ):
        reason = reason_of(code, message)
        key = (code, _NUMBER.sub("#", reason))
        group = groups.setdefault(key, Failures(code, reason, 0, at))
        groups[key] = replace(group, count=group.count + 1)
    return sorted(groups.values(), key=lambda group: -group.count)


def _few(sessions: QuerySet[Session]) -> list[int] | None:
    """The keys of the sessions where these are few. Who has many has some of the newest, which are looked at first: the
    others may be hundreds of thousands from before.
    """
    since = Session.objects.order_by("-pk").values("pk")[NEWEST_LOOKED_AT : NEWEST_LOOKED_AT + 1]
    keys = sessions.order_by().values_list("pk", flat=True)
    if len(keys.filter(pk__gt=Subquery(since))[: FEW_SESSIONS + 1]) > FEW_SESSIONS:
        return None
    few = list(keys[: FEW_SESSIONS + 1])
    return few if len(few) <= FEW_SESSIONS else None


def _newest(sessions: QuerySet[Session], asked: Asked, limit: int) -> list[tuple[datetime, int]]:
    """When and which: at least the `limit` newest of what is asked for."""
    runs = asked.runs()
    sessions = sessions.filter(last_invoked_at__gte=asked.start)
    few = _few(sessions)
    if few is not None:
        # Whoever has few sessions may have none of the newest hundred thousand runs.
        own = runs.filter(session__in=few)
        if asked.statuses:
            own = own.filter(status__in=asked.statuses)
        return list(own.order_by().values_list("requested_at", "pk"))
    # Asked of each row, newest first, until there are enough: a join is begun with the sessions, which are many.
    own = runs.filter(Exists(sessions.filter(pk=OuterRef("session_id")))).order_by("-requested_at", "-pk")
    # Status by status, as an index has each of the failed ones in the order of time.
    parts = [own.filter(status=status) for status in asked.statuses] or [own]
    return [row for part in parts for row in part.values_list("requested_at", "pk")[:limit]]
