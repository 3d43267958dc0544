"""The newest invocations of some sessions, found without reading the others: a month holds a hundred thousand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

from django.db.models import Exists, OuterRef, QuerySet

from apps.metrics.selectors import startup_of
from apps.sessions.models import Invocation, Session

FEW_SESSIONS = 200


@dataclass(frozen=True, slots=True)
class RecentInvocation:
    """A row of the list of recent invocations."""

    run: Invocation
    startup_ms: float | None


def recent_invocations(
    sessions: QuerySet[Session],
    *,
    start: datetime,
    end: datetime,
    version: str = "",
    statuses: Sequence[str] = (),
    limit: int = 20,
) -> list[RecentInvocation]:
    """The newest of the invocations of `sessions` requested in [start, end), with the startup latency where one is
    known; of one version and of some statuses alone where they are given. The answers stay in the database.
    """
    runs = Invocation.objects.filter(requested_at__gte=start, requested_at__lt=end)
    if version:
        runs = runs.filter(version=version)
    found = nlargest(limit, _newest(sessions.filter(last_invoked_at__gte=start), runs, statuses, limit))
    rows = (
        Invocation.objects.filter(pk__in=[pk for _, pk in found])
        .select_related("session__agent", "measurement")
        .defer("response_text", "payload", "session__agent__former_raw_metadata")
        .order_by("-requested_at", "-pk")
    )
    return [RecentInvocation(row, startup_of(row)) for row in rows]


def _newest(
    sessions: QuerySet[Session], runs: QuerySet[Invocation], statuses: Sequence[str], limit: int
) -> list[tuple[datetime, int]]:
    """When and which: at least the `limit` newest of `runs` in `sessions`."""
    few = list(sessions.order_by().values_list("pk", flat=True)[: FEW_SESSIONS + 1])
    if len(few) <= FEW_SESSIONS:
        # Whoever has few sessions may have none of the newest hundred thousand runs.
        own = runs.filter(session__in=few)
        if statuses:
            own = own.filter(status__in=statuses)
        return list(own.order_by().values_list("requested_at", "pk"))
    # Asked of each row, newest first, until there are enough: a join is begun with the sessions, which are many.
    own = runs.filter(Exists(sessions.filter(pk=OuterRef("session_id")))).order_by("-requested_at")
    # Status by status, as an index has each of the failed ones in the order of time.
    parts = [own.filter(status=status) for status in statuses] or [own]
    return [row for part in parts for row in part.values_list("requested_at", "pk")[:limit]]
