"""Who may read a log group now, and from where on: one reader at a time, a few pages at a time.

A lease is a conditional UPDATE, so it holds across threads, processes and machines. It is extended before every call to
AWS; the lease of a reader that died runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from django.db.models import Q, QuerySet

from apps.aws.logs.reading import RuntimeLogs
from apps.aws.logs.streams import LogEvent
from apps.metrics.models import LogGroupSweep

LEASE = timedelta(seconds=30)
MAX_PAGES = 5
# A reading that was not finished is continued for as long as the runs that it was begun for are looked for. An older
# one would pass through everything logged since, and its token may have expired.
CURSOR_LIFE = timedelta(minutes=2)

GroupKey = tuple[str, str, str]
"""Account, region, name of the log group."""

Clock = Callable[[], datetime]

LogsOf = Mapping[str, RuntimeLogs]
"""What reads for an account, by its id, where that is not Loom's own identity."""
NO_ACCOUNTS: LogsOf = MappingProxyType({})


class LeaseLostError(Exception):
    """Reading took longer than the lease, and another reader took the group over."""


@dataclass(slots=True)
class Lease:
    """The right to read one log group until an instant; leaving the `with` block gives it back."""

    group: LogGroupSweep
    until: datetime
    clock: Clock

    def extend(self) -> None:
        """Hold it for another `LEASE`. Raises LeaseLostError where it ran out and someone else holds it."""
        until = self.clock() + LEASE
        if not self._own().update(lease_until=until):
            raise LeaseLostError(self.group.log_group)
        self.until = until

    def keep_cursor(self, next_token: str | None, started_from_at: datetime | None) -> None:
        """Remember where the next reading goes on; None where it begins anew."""
        self._own().update(next_token=next_token or "", started_from_at=started_from_at)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self._own().update(lease_until=None)

    def _own(self) -> QuerySet[LogGroupSweep]:
        return LogGroupSweep.objects.filter(pk=self.group.pk, lease_until=self.until)


def take_lease(key: GroupKey, clock: Clock) -> Lease | None:
    """The lease of a log group, or None while someone else holds it."""
    account_id, region, log_group = key
    row, _ = LogGroupSweep.objects.get_or_create(account_id=account_id, region=region, log_group=log_group)
    now = clock()
    until = now + LEASE
    free = LogGroupSweep.objects.filter(Q(lease_until=None) | Q(lease_until__lte=now), pk=row.pk)
    if not free.update(lease_until=until):
        return None
    row.refresh_from_db()
    return Lease(row, until, clock)


def read_since(lease: Lease, start: datetime, logs: RuntimeLogs) -> list[LogEvent]:
    """The group's events from `start` on, at most five pages; a longer reading goes on at the next call.

    Raises AwsError, after which the next reading begins anew, and LeaseLostError.
    """
    group = lease.group
    began_at = group.started_from_at
    if group.next_token and began_at is not None and began_at <= start < began_at + CURSOR_LIFE:
        start, token = began_at, group.next_token
    else:
        token = None
    if group.next_token:
        # Whatever ends this reading early, a token that AWS refuses is not sent again.
        lease.keep_cursor(None, None)
    events, token = _read(lease, logs, start, next_token=token)
    if token:
        lease.keep_cursor(token, start)
    return events


def read_between(lease: Lease, start: datetime, end: datetime, logs: RuntimeLogs) -> list[LogEvent]:
    """The group's events from `start` to `end`, at most five pages. Raises AwsError and LeaseLostError."""
    return _read(lease, logs, start, end=end)[0]


def _read(
    lease: Lease, logs: RuntimeLogs, start: datetime, *, end: datetime | None = None, next_token: str | None = None
) -> tuple[list[LogEvent], str | None]:
    """The events, and where to go on if there are more; the lease is extended before every call."""
    group = lease.group
    events: list[LogEvent] = []
    lease.extend()
    for page in logs.pages(
        region=group.region, log_group=group.log_group, start=start, end=end, max_pages=MAX_PAGES, next_token=next_token
    ):
        events += page.events
        next_token = page.next_token
        if next_token is not None:
            lease.extend()
    return events, next_token
