"""The log lines of one endpoint, or of one session on it, as a person reads them: the newest ones, in time order.

CloudWatch charges and throttles by what is searched, so every reading is bounded: a time range, a number of pages.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from django.utils import timezone

from apps.agentcore.aws.connection import Connections, connection_of
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agents.models import Agent
from apps.aws.arn import is_valid_qualifier
from apps.aws.errors import AccessDeniedError, AwsError
from apps.aws.logs.levels import read_level
from apps.aws.logs.reading import EARLIEST_START, LogGroupNotFoundError, RuntimeLogs
from apps.aws.logs.records import plain
from apps.aws.logs.streams import LogEvent, attribute, classify, in_order
from apps.core.exceptions import InvalidInputError
from apps.sessions.models import Session

logger = logging.getLogger(__name__)

MAX_LINES = 1_000
LOGS_ADVICE = (
    "The credentials in use may not read this log group. Grant them logs:FilterLogEvents and "
    "logs:DescribeLogStreams on it."
)
# Without a range: back to a day before the newest run that Loom knows of.
_DEFAULT_SPAN = timedelta(days=1)
_MAX_PAGES = 10
# FilterLogEvents takes no more names at a time.
_MAX_STREAMS = 100
# A stream is named after the day its environment was made; one DescribeLogStreams for each of the newest days.
_MAX_DAYS = 8
# Attribution needs the lines around the wanted ones: only the SDK's own name their session.
_LEAST_PAGE = 1_000
_MOST_PAGE = 10_000

_Identity = tuple[str, datetime, str, str]


class LogGroupMissingError(AgentRuntimeError):
    """The endpoint has no log group: it was never invoked, or its role may not write logs."""

    http_status = HTTPStatus.NOT_FOUND


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as the agent wrote it at `at`, but for colours; CloudWatch had it at `ingested_at` (UTC both).

    `session_id` is "" where no session can be told; `level` is DEBUG, INFO, WARNING, ERROR, CRITICAL, or "".
    """

    at: datetime
    ingested_at: datetime
    message: str
    stream: str
    session_id: str
    level: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """The newest lines that were asked for, oldest first.

    `log_stream` is the stream of the newest of them, "" without any. `has_more` says that older lines of the range were
    left out or not searched.
    """

    log_group: str
    log_stream: str
    events: list[LogLine]
    has_more: bool


def read_logs(
    *,
    agent: Agent,
    qualifier: str = "DEFAULT",
    runtime_session_id: str | None = None,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    search: str = "",
    limit: int = 100,
    only_ids: frozenset[str] | None = None,
) -> LogPage:
    """Read the newest `limit` lines of an endpoint's log group, or of one session, that contain `search`.

    `search` is a plain text, whatever its case. With `only_ids`, runtime session ids, the lines of all others are as if
    they did not exist: not even their number tells what they say. `start_at` defaults to a day before the agent's
    newest run. Blocks for some calls of CloudWatch. Raises InvalidInputError, LogGroupMissingError (a 404),
    AccountDisabledError and AgentRuntimeError.
    """
    _check(qualifier, runtime_session_id, start_at, end_at, limit)
    arn = agent.runtime.parsed_arn
    log_group = arn.log_group(qualifier)
    start_at, end_at = _possible(start_at), _possible(end_at)
    if start_at is None:
        start_at = min(agent.last_invoked_at or timezone.now(), end_at or timezone.now()) - _DEFAULT_SPAN
    logs = RuntimeLogs(connection_of(agent.runtime))
    reading = _Reading(logs, arn.region, log_group, start_at, end_at, agent.runtime.log_stream or "")
    try:
        if runtime_session_id is None:
            lines, has_more = _collect(reading.lines(_page_size(search, limit)), only_ids, search, limit)
        else:
            lines, has_more = _session_lines(reading, runtime_session_id, search, limit)
    except AwsError as error:
        raise _translated(error) from error
    return LogPage(log_group, lines[-1].stream if lines else "", lines, has_more)


def logs_of_accounts() -> dict[str, RuntimeLogs]:
    """What reads the logs of each account that a role leads to, by its id; of disabled ones nothing does."""
    known = Connections()
    enabled = [account.account_id for account in known.accounts.values() if account.is_enabled]
    return {account_id: RuntimeLogs(known.of(account_id)) for account_id in enabled}


def _check(
    qualifier: str, runtime_session_id: str | None, start_at: datetime | None, end_at: datetime | None, limit: int
) -> None:
    if not is_valid_qualifier(qualifier):
        raise InvalidInputError("This cannot be the name of an endpoint.", advice="Leave it out for DEFAULT.")
    if runtime_session_id is not None and not Session.is_valid_id(runtime_session_id):
        raise InvalidInputError("This is not a runtime session id.")
    if not 1 <= limit <= MAX_LINES:
        raise InvalidInputError(f"At most {MAX_LINES} lines can be read at a time, and at least one.")
    if any(instant is not None and instant.tzinfo is None for instant in (start_at, end_at)):
        raise InvalidInputError("An instant lacks its time zone.", advice="End it with Z for UTC.")
    if start_at is not None and end_at is not None and end_at < start_at:
        raise InvalidInputError("The range ends before it begins.")


def _possible(instant: datetime | None) -> datetime | None:
    """The instant, or the nearest one at which a line can have been written."""
    if instant is None:
        return None
    return min(max(instant, EARLIEST_START), timezone.now() + _DEFAULT_SPAN)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A time range of one log group."""

    logs: RuntimeLogs
    region: str
    log_group: str
    start: datetime
    end: datetime | None
    # The only stream that is wanted; "" for all.
    stream: str = ""

    def lines(
        self, page_size: int, *, pattern: str | None = None, streams: Sequence[str] = ()
    ) -> Iterator[tuple[list[LogEvent], bool]]:
        """The pages of FilterLogEvents, the newest first, each with whether another follows; at most `_MAX_PAGES`."""
        pages = self.logs.pages(
            region=self.region,
            log_group=self.log_group,
            start=self.start,
            end=self.end,
            max_pages=_MAX_PAGES,
            limit=page_size,
            newest_first=True,
            pattern=pattern,
            streams=[self.stream] if self.stream else streams,
        )
        return ((page.events, page.next_token is not None) for page in pages)

    def streams_named(self, session_id: str) -> list[str]:
        """The streams that carry the session in their name, the newest day's first."""
        if self.stream:
            return []
        last = (self.end or timezone.now()).astimezone(UTC).date()
        day_count = min((last - self.start.astimezone(UTC).date()).days + 1, _MAX_DAYS)
        days = [last - timedelta(days=back) for back in range(day_count)]
        return [
            stream.name
            for day in days
            for stream in self.logs.streams(
                region=self.region, log_group=self.log_group, prefix=f"{day:%Y/%m/%d}/[runtime-logs-{session_id}]"
            )
        ]


def _page_size(search: str, limit: int) -> int:
    return _MOST_PAGE if search else max(limit, _LEAST_PAGE)


def _session_lines(reading: _Reading, session_id: str, search: str, limit: int) -> tuple[list[LogLine], bool]:
    """The lines of one session: its streams are found by their names, and by lines that name it.

    Bare lines name no session, so the streams are then read whole.
    """
    naming: list[LogEvent] = []
    for events, _ in reading.lines(_LEAST_PAGE, pattern=f'"{session_id}"'):
        naming += events
        if len(naming) >= _LEAST_PAGE:
            break
    streams = list(dict.fromkeys([*reading.streams_named(session_id), *(event.stream for event in naming)]))
    if not streams:
        return [], False
    pages = reading.lines(_page_size(search, limit), streams=streams[:_MAX_STREAMS])
    return _collect(pages, frozenset({session_id}), search, limit, naming)


def _collect(
    pages: Iterator[tuple[list[LogEvent], bool]],
    only_ids: frozenset[str] | None,
    search: str,
    limit: int,
    known: list[LogEvent] | None = None,
) -> tuple[list[LogLine], bool]:
    """Read pages until `limit` lines are found; `known` are lines that help to tell which session others belong to."""
    found = {_identity(event): event for event in known or []}
    wanted, has_more = _matching(found, only_ids, search), False
    for events, is_followed in pages:
        # Each page is older than the one before it, and what is older stands first.
        found = {_identity(event): event for event in events} | found
        wanted, has_more = _matching(found, only_ids, search), is_followed
        if len(wanted) >= limit:
            break
    return wanted[-limit:], has_more or len(wanted) > limit


def _identity(event: LogEvent) -> _Identity:
    return event.stream, event.at, event.event_id, event.message


def _matching(found: dict[_Identity, LogEvent], only_ids: frozenset[str] | None, search: str) -> list[LogLine]:
    """The wanted lines among those that were found, in time order, each with the session it belongs to."""
    events = [event for event in in_order(found.values()) if classify(event.stream).kind != "validation"]
    owners = {_identity(event): owner for owner, owned in attribute(events).items() for event in owned}
    lines = []
    for event in events:
        owner = owners.get(_identity(event), "")
        if only_ids is not None and owner not in only_ids:
            continue
        message = plain(event.message)
        if search.lower() in message.lower():
            level = read_level(message)
            lines.append(LogLine(event.at, event.ingested_at, message, event.stream, owner, level))
    return lines


def _translated(error: AwsError) -> AgentRuntimeError:
    logger.info("logs not read code=%s http_status=%s request_id=%s", error.code, error.http_status, error.request_id)
    if isinstance(error, LogGroupNotFoundError):
        return LogGroupMissingError(error)
    if isinstance(error, AccessDeniedError):
        error.advice = LOGS_ADVICE
    return AgentRuntimeError(error)
