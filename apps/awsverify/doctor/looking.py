"""The look itself: some calls of CloudWatch, each of which may fail by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from django.utils import timezone

from apps.agentcore.aws.connection import connection_of
from apps.agentcore.logs.pages import USUAL_DELAY, range_of, range_of_run
from apps.agents.models import Agent
from apps.aws.connection import Connection
from apps.aws.errors import AwsError
from apps.aws.logs.reading import RuntimeLogs
from apps.aws.logs.streams import LogEvent, attribute
from apps.aws.traces import trace_hex
from apps.awsverify.permissions.logs import stream_names
from apps.metrics.traces.keeping import traces_in
from apps.metrics.traces.reading import IDS_AT_ONCE, places_of, read_lines
from apps.sessions.models import Invocation, Session

LOOK_BACK = timedelta(hours=24)
_MAX_PAGES = 5
_PAGE_SIZE = 1_000

FoundT = TypeVar("FoundT")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose lines are missed: those of an endpoint, or of one session on it, or of one run."""

    agent: Agent
    qualifier: str
    session: Session | None = None
    run: Invocation | None = None

    @property
    def log_group(self) -> str:
        return self.agent.runtime.parsed_arn.log_group(self.qualifier)

    def range(self, now: datetime) -> tuple[datetime, datetime]:
        """From when to when the lines can have been written."""
        if self.run is not None:
            return range_of_run(self.run)
        return range_of(self.session) if self.session is not None else (now - LOOK_BACK, now)

    def runs(self, now: datetime) -> list[Invocation]:
        """The run, or the newest of that session or of the last day on the endpoint, that were sent."""
        if self.run is not None:
            return [self.run] if self.run.invoked_at is not None else []
        if self.session is not None:
            runs = self.session.invocations.all()
        else:
            sessions = Session.objects.filter(agent=self.agent, qualifier=self.qualifier)
            used = sessions.filter(last_invoked_at__gte=now - LOOK_BACK).order_by("-last_invoked_at")
            runs = Invocation.objects.filter(session__in=list(used.values_list("pk", flat=True)[:IDS_AT_ONCE]))
        sent = runs.filter(invoked_at__isnull=False).exclude(trace_id="").defer("prompt", "payload", "response_text")
        return list(sent.order_by("-requested_at", "-pk")[:IDS_AT_ONCE])

    def is_early(self, now: datetime) -> bool:
        """Whether lines may still be on their way."""
        run = self.run
        if run is not None:
            return run.is_unfinished or (run.completed_at is not None and now - run.completed_at < USUAL_DELAY)
        last = self.session.last_invoked_at if self.session is not None else self.agent.last_invoked_at
        return last is not None and now - last < USUAL_DELAY


@dataclass(frozen=True, slots=True)
class SpansSeen:
    """Of how many runs the agent's own spans were looked for by their traces, of how many there are some, and where.

    `error` is what AWS answered of the account's group; `is_cut` where there were more lines than are read.
    """

    run_count: int = 0
    found_count: int = 0
    log_group: str = ""
    error: AwsError | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What CloudWatch answered: lines, names of streams, and whether there is the stream that the settings name."""

    asked: Asked
    connection: Connection
    start_at: datetime
    end_at: datetime
    is_early: bool
    events: list[LogEvent] | AwsError
    streams: list[str] | AwsError
    has_named_stream: bool | AwsError | None
    spans: SpansSeen

    @property
    def lines(self) -> Sequence[LogEvent]:
        """The lines, where there was an answer."""
        return self.events if isinstance(self.events, list) else []

    @property
    def own_lines(self) -> Sequence[LogEvent]:
        """Those of the session that is asked for."""
        session = self.asked.session
        return attribute(self.lines).get(session.runtime_session_id, []) if session is not None else []


def look(asked: Asked) -> Seen:
    """Read and list; blocks for some calls of CloudWatch, and raises nothing that AWS answers."""
    now = timezone.now()
    connection, arn = connection_of(asked.agent.runtime), asked.agent.runtime.parsed_arn
    logs, group = RuntimeLogs(connection), asked.log_group
    start_at, end_at = asked.range(now)
    named = asked.agent.runtime.log_stream

    def events() -> list[LogEvent]:
        pages = logs.pages(
            region=arn.region, log_group=group, start=start_at, end=end_at, max_pages=_MAX_PAGES, limit=_PAGE_SIZE,
            newest_first=True,
        )  # fmt: skip
        return [event for page in pages for event in page.events]

    def streams() -> list[str]:
        return stream_names(logs, arn.region, group, end_at.astimezone(UTC).date())

    def has_named_stream() -> bool:
        found = logs.streams(region=arn.region, log_group=group, prefix=named or "", limit=_PAGE_SIZE)
        return any(stream.name == named for stream in found)

    return Seen(
        asked, connection, start_at, end_at, asked.is_early(now), _answer(events), _answer(streams),
        _answer(has_named_stream) if named else None, _look_for_spans(asked, logs, now),
    )  # fmt: skip


def _look_for_spans(asked: Asked, logs: RuntimeLogs, now: datetime) -> SpansSeen:
    """Ask for the traces of the newest runs, in the account's group and then in the runtime's own stream."""
    runs = [run for run in asked.runs(now) if trace_hex(run.trace_id)]
    if not runs:
        return SpansSeen()
    ids = [trace_hex(run.trace_id) for run in runs]
    start, end = min(run.requested_at for run in runs), max(run.completed_at or now for run in runs)
    refused: AwsError | None = None
    is_cut = False
    for place in places_of(asked.log_group):
        try:
            events, is_whole = read_lines(
                logs, place, region=asked.agent.runtime.parsed_arn.region, trace_ids=ids, start=start, end=end
            )  # fmt: skip
        except AwsError as error:
            refused = refused or error
            continue
        is_cut |= not is_whole
        if found := traces_in(events, ids):
            return SpansSeen(len(ids), len(found), place.log_group, is_cut=is_cut)
    return SpansSeen(len(ids), error=refused, is_cut=is_cut)


def _answer(ask: Callable[[], FoundT]) -> FoundT | AwsError:
    try:
        return ask()
    except AwsError as error:
        return error
