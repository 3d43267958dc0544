"""The log lines of agents and sessions over JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from apps.accounts.access import may_read
from apps.accounts.middleware import caller_of
from apps.agentcore.logs.reading import MAX_LINES, LogPage, read_logs
from apps.agentcore.logs.visibility import ids_shown_to
from apps.agents.api import find_agent
from apps.agents.forms import QUALIFIER_SCHEMA
from apps.core.text.instants import Instant
from apps.sessions.api import find_session

router = Router(tags=["sessions"])

# A warm environment may have written its first lines before the session began.
LOGS_BEFORE = timedelta(minutes=15)


class SessionLogsQuery(Schema):
    limit: int = Field(100, ge=1, le=MAX_LINES)
    start_time: Instant | None = Field(
        None, description="ISO 8601 with a time zone, as 2026-11-20T12:00:00Z, or Unix seconds."
    )
    end_time: Instant | None = None
    search: str = Field("", max_length=200, description="A plain text, whatever its case.")


class LogsQuery(SessionLogsQuery):
    qualifier: str = Field(
        "DEFAULT", description="The endpoint's name: each has its own log group.", json_schema_extra=QUALIFIER_SCHEMA
    )


class LogEventOut(Schema):
    """A line: when the agent wrote it, and when CloudWatch had it (`ingested_at`)."""

    timestamp_ms: int
    timestamp_iso: datetime
    ingested_at: datetime
    message: str
    session_id: str
    log_stream: str
    level: str


class LogsOut(Schema):
    """The newest lines, oldest first. `log_stream` is that of the newest; `has_more` says that older ones exist."""

    log_group: str
    log_stream: str
    events: list[LogEventOut]
    has_more: bool


def logs_out(page: LogPage) -> dict[str, Any]:
    """A page of log lines under the keys of the first version of the API."""
    return {
        "log_group": page.log_group,
        "log_stream": page.log_stream,
        "events": [
            {
                "timestamp_ms": round(line.at.timestamp() * 1000),
                "timestamp_iso": line.at,
                "ingested_at": line.ingested_at,
                "message": line.message,
                "session_id": line.session_id,
                "log_stream": line.stream,
                "level": line.level,
            }
            for line in page.events
        ],
        "has_more": page.has_more,
    }


@router.get(
    "/agents/{int:agent_id}/logs",
    tags=["agents"],
    auth=may_read,
    response=LogsOut,
    summary="Read the newest log lines of an endpoint",
)
def read_agent_logs(request: HttpRequest, agent_id: int, query: Query[LogsQuery]) -> dict[str, Any]:
    """From CloudWatch, of the last day before the agent's newest run unless `start_time` says else.

    Staff read all lines, others those of their own sessions.
    """
    agent = find_agent(request, agent_id)
    page = read_logs(
        agent=agent,
        qualifier=query.qualifier,
        start_at=query.start_time,
        end_at=query.end_time,
        search=query.search,
        limit=query.limit,
        only_ids=ids_shown_to(caller_of(request).subject, agent),
    )
    return logs_out(page)


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}/logs",
    auth=may_read,
    response=LogsOut,
    summary="Read the newest log lines of a session",
)
def read_session_logs(
    request: HttpRequest, agent_id: int, session_id: str, query: Query[SessionLogsQuery]
) -> dict[str, Any]:
    """The lines of the session's environments, from shortly before its beginning on unless `start_time` says else."""
    session = find_session(request.user, agent_id, session_id)
    began_at = session.created_at - LOGS_BEFORE
    page = read_logs(
        agent=session.agent,
        qualifier=session.qualifier,
        runtime_session_id=session.runtime_session_id,
        # A range that the caller did not give cannot be the wrong way round.
        start_at=query.start_time or (min(began_at, query.end_time) if query.end_time else began_at),
        end_at=query.end_time,
        search=query.search,
        limit=query.limit,
    )
    return logs_out(page)
