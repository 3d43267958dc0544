"""The spans of finished runs, fetched from CloudWatch by the ids of their traces, up to twenty with one call.

As the sweep does for starts: called by the worker, state in rows, a try counted before AWS is called, a lease on the
account's group while it is read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from apps.agentcore.selectors import is_reachable
from apps.agents.selectors import in_use
from apps.aws.errors import AccessDeniedError, AwsError
from apps.aws.logs.reading import LogGroupNotFoundError, RuntimeLogs
from apps.aws.logs.spans import SPANS_GROUP
from apps.aws.traces import trace_hex
from apps.core.notices.notices import notify
from apps.metrics.models import AgentTrace
from apps.metrics.starts.log_groups import LEASE, NO_ACCOUNTS, Lease, LeaseLostError, LogsOf, take_lease
from apps.metrics.startup import ALL_TRIES, MISSING_SOUGHT_FOR, next_try_at
from apps.metrics.traces.keeping import Trace, as_kept, traces_in
from apps.metrics.traces.reading import IDS_AT_ONCE, Place, places_of, read_lines
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

AGENT = "invocation__session__agent"
DUE_AT_ONCE = 100
REMOVE_AT_ONCE = 500
# A group that is not there, or may not be read, will not be in the next minute: it is asked as often as a runtime's own
# stream may need to show its first spans.
TRIES_WITHOUT_GROUP = 3


def create_missing_traces(now: datetime) -> int:
    """Make the rows that finished runs younger than ten minutes lack; return how many."""
    missing = Invocation.objects.filter(
        status__in=Invocation.FINISHED,
        completed_at__gt=now - MISSING_SOUGHT_FOR,
        agent_trace=None,
        invoked_at__isnull=False,
        content_removed_at=None,
        session__agent__runtime__isnull=False,
    ).exclude(trace_id="")
    rows = [
        AgentTrace(invocation_id=key, trace_id=digits, next_at=now)
        for key, trace_id in missing.values_list("pk", "trace_id")
        if (digits := trace_hex(trace_id))
    ]
    AgentTrace.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def remove_expired_traces(now: datetime) -> int:
    """Delete traces as old as the prompts and answers that are deleted; return how many."""
    days = settings.CONTENT_RETENTION_DAYS
    if days is None:
        return 0
    expired = AgentTrace.objects.filter(created_at__lte=now - timedelta(days=days)).order_by("created_at")
    keys = list(expired.values_list("pk", flat=True)[:REMOVE_AT_ONCE])
    return AgentTrace.objects.filter(pk__in=keys).delete()[0]


def due_traces(now: datetime) -> QuerySet[AgentTrace]:
    """The traces of this mode to look for now: emulated spans are not looked for in AWS, nor AWS's here.

    Those of an account that is disabled wait until it no longer is.
    """
    return AgentTrace.objects.filter(
        in_use(f"{AGENT}__"),
        is_reachable(f"{AGENT}__runtime__"),
        next_at__lte=now,
        invocation__session__agent__runtime__isnull=False,
    )


def fetch(*, now: datetime, logs: RuntimeLogs, logs_of: LogsOf = NO_ACCOUNTS) -> int:
    """Look once for every due trace; return how many were looked for. The accounts are read as in `sweep`."""
    started_s = time.monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - started_s)

    places = due_traces(now).values_list(f"{AGENT}__runtime__account_id", f"{AGENT}__runtime__region").distinct()
    looked = 0
    for account_id, region in places.order_by():
        lease = take_lease((account_id, region, SPANS_GROUP), clock)
        if lease is None:
            continue
        with lease:
            try:
                looked += _fetch_region(lease, logs_of.get(account_id, logs))
            except LeaseLostError:
                logger.warning("lease lost log_group=%s", SPANS_GROUP)
    return looked


def _fetch_region(lease: Lease, logs: RuntimeLogs) -> int:
    """Look for what is due of an account and region; read only under the lease, since another may just have looked."""
    due = due_traces(lease.clock()).filter(
        invocation__session__agent__runtime__account_id=lease.group.account_id,
        invocation__session__agent__runtime__region=lease.group.region,
    )
    rows = list(due.select_related("invocation__session__agent__runtime").order_by("next_at")[:DUE_AT_ONCE])
    for trace in [row for row in rows if row.tries >= ALL_TRIES]:
        # Its last try never came back.
        trace.next_at = None
        _conclude(trace, None)
    waiting = [row for row in rows if row.tries < ALL_TRIES]
    # Next to each other in time, so that one reading has a short range.
    waiting.sort(key=_sent_at)
    for together in _readings(waiting):
        _look(together, lease, logs)
    return len(waiting)


def _readings(traces: Sequence[AgentTrace]) -> Iterator[Sequence[AgentTrace]]:
    """What is asked for together. What was cut when it was read with others has all further readings for itself."""
    yield from ([trace] for trace in traces if trace.is_cut is not None)
    others = [trace for trace in traces if trace.is_cut is None]
    yield from (others[first : first + IDS_AT_ONCE] for first in range(0, len(others), IDS_AT_ONCE))


def _look(traces: Sequence[AgentTrace], lease: Lease, logs: RuntimeLogs) -> None:
    """One try: the account's group for all, then each runtime's own stream for those that are not there."""
    _count_try(traces, lease.clock())
    found: dict[str, tuple[str, Trace]] = {}
    cut: set[str] = set()
    error = None
    for place, those in _places(traces):
        missing = [trace for trace in those if trace.trace_id not in found]
        if not missing:
            continue
        try:
            events, is_complete = read_lines(
                logs, place, region=lease.group.region, trace_ids=[trace.trace_id for trace in missing],
                start=min(map(_sent_at, missing)), end=max(map(_ended_at, missing)), before_page=lease.extend,
            )  # fmt: skip
        except AwsError as raised:
            if place.log_group == SPANS_GROUP:
                error = raised
            continue
        kept = traces_in(events, [trace.trace_id for trace in missing])
        found |= {trace_id: (place.log_group, one) for trace_id, one in kept.items()}
        if not is_complete:
            cut |= {trace.trace_id for trace in missing}
    if error is not None:
        _say(error, traces)
    for trace in traces:
        group, one = found.get(trace.trace_id, ("", None))
        is_cut, was_alone = trace.trace_id in cut, trace.is_cut is not None
        if one is not None:
            _take(trace, group, one, is_settled=was_alone or not is_cut)
        trace.is_cut = is_cut if is_cut or was_alone else None
        _conclude(trace, error)


def _places(traces: Iterable[AgentTrace]) -> Iterator[tuple[Place, list[AgentTrace]]]:
    def own_group(trace: AgentTrace) -> str:
        session = trace.invocation.session
        return session.agent.runtime.parsed_arn.log_group(session.qualifier)

    ordered = sorted(traces, key=own_group)
    shared, _own = places_of("")
    yield shared, ordered
    for group, those in groupby(ordered, key=own_group):
        yield places_of(group)[1], list(those)


def _take(trace: AgentTrace, group: str, found: Trace, *, is_settled: bool) -> None:
    """Put what was found into the row, and stop where a second look has brought nothing more and the reading
    `is_settled`: it was whole, or would be cut by itself as well.

    Spans are sent when they end, in batches: those of a tool may be there before those around it.
    """
    spans = [as_kept(span) for span in found.spans]
    is_same = (trace.spans, trace.damaged_count, trace.left_out_count) == (
        spans, found.damaged_count, found.left_out_count,
    )  # fmt: skip
    if trace.state == AgentTrace.State.FOUND and is_same and is_settled:
        trace.next_at = None
    if len(spans) < len(trace.spans):
        # Fewer than before: this reading did not see all of them.
        return
    trace.state, trace.log_group, trace.spans = AgentTrace.State.FOUND, group, spans
    trace.damaged_count, trace.left_out_count = found.damaged_count, found.left_out_count


def _conclude(trace: AgentTrace, error: AwsError | None) -> None:
    """Decide where the search stands after a try, and store it; not over a result that another has stored."""
    is_hopeless = isinstance(error, LogGroupNotFoundError | AccessDeniedError) and trace.tries >= TRIES_WITHOUT_GROUP
    if is_hopeless:
        trace.next_at = None
    trace.error_code = error.code[:100] if error is not None else ""
    if trace.state != AgentTrace.State.FOUND and trace.next_at is None:
        has_failed = error is not None and not isinstance(error, LogGroupNotFoundError)
        trace.state = AgentTrace.State.FAILED if has_failed else AgentTrace.State.NOT_FOUND
    names = ("state", "next_at", "log_group", "spans", "damaged_count", "left_out_count", "is_cut", "error_code")
    with transaction.atomic():
        rows = AgentTrace.objects.filter(pk=trace.pk, next_at__isnull=False)
        if rows.update(**{name: getattr(trace, name) for name in names}):
            notify(trace.invocation.session.topic, "spans")


def _count_try(traces: Sequence[AgentTrace], now: datetime) -> None:
    """Count before the call: a task that kills its worker must not come back for ever."""
    with transaction.atomic():
        for trace in traces:
            trace.tries += 1
            trace.next_at = next_try_at(trace.tries, now)
            AgentTrace.objects.filter(pk=trace.pk).update(tries=trace.tries, next_at=trace.next_at or now + LEASE)


def _say(error: AwsError, traces: Sequence[AgentTrace]) -> None:
    """Said in the log once, not with every try."""
    if any(trace.error_code != error.code[:100] for trace in traces):
        level = logging.INFO if isinstance(error, LogGroupNotFoundError) else logging.WARNING
        logger.log(
            level, "spans not read log_group=%s code=%s http_status=%s request_id=%s",
            SPANS_GROUP, error.code, error.http_status, error.request_id,
        )  # fmt: skip


def _sent_at(trace: AgentTrace) -> datetime:
    assert trace.invocation.invoked_at is not None, "only runs that were sent are looked for"
    return trace.invocation.invoked_at


def _ended_at(trace: AgentTrace) -> datetime:
    assert trace.invocation.completed_at is not None, "only runs that are over are looked for"
    return trace.invocation.completed_at
