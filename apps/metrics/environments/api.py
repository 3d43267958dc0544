"""Environments over JSON. One is ended by `POST /agents/{agent_id}/sessions/{session_id}/end`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from ninja.params import functions

from apps.accounts.access import may_read
from apps.core.tables.filters import TEXT_LENGTH
from apps.metrics.environments.board import Board, End, on_board
from apps.metrics.environments.listing import ENVIRONMENTS, read_sessions, with_boards
from apps.sessions.models import Session
from apps.sessions.selectors import sessions_visible_to

router = Router(tags=["environments"])

KEY_MOST = 2**63 - 1
MAX_OFFSET = 2**53 - 1


class EnvironmentQuery(Schema):
    """Which are wanted, by the names that the page has."""

    q: str = Field("", max_length=TEXT_LENGTH, description="Words that all occur in the title, id or agent's name.")
    state: Literal["warm", "idle", "ended", "all"] | None = Field(None, description="Without it: warm or idle.")
    agent: int | None = Field(None, ge=1, le=KEY_MOST, description="The id of an agent.")
    owner: int | None = Field(None, ge=1, le=KEY_MOST, description="The id of a person.")
    sort: Literal[
        "used", "-used", "session", "-session", "agent", "-agent", "person", "-person", "end", "-end"
    ] = "-used"  # fmt: skip


class EnvironmentEndOut(Schema):
    """The last end that was asked for."""

    accepted_at: datetime = Field(description="When AWS accepted StopRuntimeSession, which is no proof.")
    proof: Literal["accepted", "verified", "refuted"] = Field(
        description="verified: a later run wrote to another log stream than the last one before; refuted: to the same."
    )
    run_id: int | None = Field(description="The run that showed it.")
    run_number: int | None
    shown_at: datetime | None = Field(description="When that run was sent.")


class EnvironmentOut(Schema):
    """What AgentCore keeps for a session, told by the agent's timeouts: it tells nobody itself."""

    session_id: str
    session_public_id: UUID
    title: str
    agent_id: int
    agent_name: str
    qualifier: str
    version: str
    owner: str
    state: Literal["warm", "idle", "ended"] = Field(description="warm: it answers; idle: it is kept until expires_at.")
    reason: Literal["", "asked", "idle timeout", "maximum lifetime"] = Field(description="Why it is ended.")
    born_at: datetime | None
    expires_at: datetime | None
    idle_ends_at: datetime | None
    lifetime_ends_at: datetime | None
    runs: int
    cost_usd: float | None = Field(description="Of its runs, and of its idle time at most; null where unknown.")
    idle_usd: float = Field(description="The part of it that is idle time, at most.")
    runs_of_unknown_cost: int
    end: EnvironmentEndOut | None
    url: str


def _end_out(end: End | None) -> dict[str, Any] | None:
    if end is None:
        return None
    return {
        "accepted_at": end.accepted_at,
        "proof": end.proof,
        "run_id": end.run_id,
        "run_number": end.run_number,
        "shown_at": end.shown_at,
    }


def _out(session: Session, board: Board) -> dict[str, Any]:
    return {
        "session_id": session.runtime_session_id,
        "session_public_id": session.public_id,
        "title": session.title,
        "agent_id": session.agent_id,
        "agent_name": session.agent.name,
        "qualifier": session.qualifier,
        "version": board.version,
        "owner": session.owner.email,
        "state": board.state,
        "reason": board.reason,
        "born_at": board.born_at,
        "expires_at": board.expires_at,
        "idle_ends_at": board.idle_ends_at,
        "lifetime_ends_at": board.lifetime_ends_at,
        "runs": board.run_count,
        "cost_usd": board.cost_usd,
        "idle_usd": board.idle_usd,
        "runs_of_unknown_cost": board.unknown_count,
        "end": _end_out(board.end),
        "url": session.get_absolute_url(),
    }


@router.get("/environments", auth=may_read, response=list[EnvironmentOut], summary="List environments of sessions")
def list_environments(
    request: HttpRequest,
    query: Query[EnvironmentQuery],
    limit: int = functions.Query(50, ge=1, le=200),
    offset: int = functions.Query(0, ge=0, le=MAX_OFFSET),
) -> list[dict[str, Any]]:
    """Those of the sessions that you may see, the last used first. To end one, end its session."""
    chosen = {name: str(value or "") for name in ("state", "agent", "owner") if (value := getattr(query, name))}
    # PostgreSQL takes no NUL.
    wanted = ENVIRONMENTS.wanted(query.q.replace("\0", ""), query.sort, **chosen)
    found = ENVIRONMENTS.find(on_board(sessions_visible_to(request.user)), wanted)
    keys = list(found.values_list("pk", flat=True)[offset : offset + limit])
    sessions = read_sessions(keys)
    return [_out(session, board) for session, board in with_boards([sessions[key] for key in keys if key in sessions])]
