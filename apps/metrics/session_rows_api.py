"""The sessions of all agents over JSON, and what is done to one of them."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Schema, Status
from ninja.params import functions

from apps.accounts.access import may_invoke, may_read
from apps.core.exceptions import found
from apps.core.tables.filters import LONGEST_VALUE, TEXT_LENGTH
from apps.metrics.sessions_api import MAX_OFFSET, SessionOut, newest_runs, router, session_out
from apps.metrics.starts import services as starts
from apps.metrics.starts import tasks
from apps.sessions import services
from apps.sessions.api import find_session
from apps.sessions.pages.listing import SESSIONS, read_sessions
from apps.sessions.selectors import run_visible_to, sessions_visible_to

__all__ = ["router"]  # that of the other operations of a session: one path has one

ONE = "/agents/{int:agent_id}/sessions/{session_id}"
KEY_MOST = 2**63 - 1


class ListedSessionOut(SessionOut):
    agent_name: str


class SessionQuery(Schema):
    """Which sessions are wanted: what the page of all sessions is asked, by the same names."""

    q: str = Field(
        "",
        max_length=TEXT_LENGTH,
        description="Words that all occur in the title, the id, the agent's name, or what a run of it says.",
    )
    agent: int | None = Field(None, ge=1, le=KEY_MOST, description="The id of an agent.")
    status: Literal["running", "completed", "failed", "stopped", "interrupted", "none"] | None = Field(
        None, description="Of its newest run; `none` has not been invoked yet."
    )
    qualifier: str = Field("", max_length=LONGEST_VALUE, description="The name of an endpoint.")
    measure_start: Literal["shown", "only"] | None = Field(None, description="Those of Measure start, hidden without.")
    sort: Literal["title", "-title", "agent", "-agent", "active", "-active"] = "-active"


class SessionChangeIn(Schema, extra="forbid"):
    title: str = Field(max_length=services.TITLE_LENGTH, description="Its first line is kept; empty takes it away.")


class SessionTitleOut(Schema):
    session_id: str
    title: str


class SearchedAgainOut(Schema):
    """`is_looking`: a start may still be found, and the logs are read for it soon; `…/latency?wait=1` tells it."""

    is_looking: bool


@router.get("/sessions", auth=may_read, response=list[ListedSessionOut], summary="Find sessions of all agents")
def find_sessions(
    request: HttpRequest,
    query: Query[SessionQuery],
    limit: int = functions.Query(50, ge=1, le=200),
    offset: int = functions.Query(0, ge=0, le=MAX_OFFSET),
) -> list[dict[str, Any]]:
    """Those that you may see, the last used first, each with its newest run, without those of Measure start."""
    chosen = {name: _plain(getattr(query, name)) for name in ("agent", "status", "qualifier", "measure_start")}
    wanted = SESSIONS.wanted(_plain(query.q), query.sort, **chosen)
    keys = list(
        SESSIONS.find(sessions_visible_to(request.user), wanted).values_list("pk", flat=True)[offset : offset + limit]
    )
    sessions, newest = read_sessions(keys), newest_runs(keys)
    return [
        {
            **session_out(session, newest.get(session.pk), getattr(session, "invocation_total", 0)),
            "agent_name": session.agent.name,
        }
        for session in (sessions[key] for key in keys if key in sessions)
    ]


def _plain(value: object) -> str:
    """A value as an address has it. PostgreSQL takes no NUL."""
    return "" if value is None else str(value).replace("\0", "")


@router.patch(ONE, auth=may_invoke, response=SessionTitleOut, summary="Give a session another title")
def rename_session(request: HttpRequest, agent_id: int, session_id: str, body: SessionChangeIn) -> dict[str, str]:
    session = find_session(request.user, agent_id, session_id)
    services.rename_session(session=session, title=body.title)
    return {"session_id": session.runtime_session_id, "title": session.title}


@router.post(
    "/runs/{int:run_id}/latency/check",
    auth=may_invoke,
    response={202: SearchedAgainOut},
    summary="Look in the logs again for the start of a run",
)
def search_again(request: HttpRequest, run_id: int) -> Status[dict[str, bool]]:
    """Once more, soon; not sooner than five seconds after the last time."""
    is_looking = starts.look_again(invocation=found(run_visible_to(request.user, run_id), "run", run_id))
    if is_looking:
        tasks.enqueue_due_sweep()
    return Status(202, {"is_looking": is_looking})
