"""Pinning, archiving, deleting and bringing back a session, over JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema, Status

from apps.accounts.access import may_manage
from apps.core.exceptions import found
from apps.sessions import keeping
from apps.sessions.models import Session
from apps.sessions.selectors import deleted_sessions_visible_to, session_visible_to

router = Router(tags=["sessions"])


class KeptOut(Schema):
    """How a session is kept; `id` is the one in the address of its page."""

    id: UUID
    agent_id: int
    session_id: str
    title: str
    is_pinned: bool
    archived_at: datetime | None = Field(description="Null where it is in the lists.")
    url: str


def _session(request: HttpRequest, public_id: UUID) -> Session:
    return found(session_visible_to(request.user, public_id), "session", public_id)


def _kept(session: Session) -> dict[str, Any]:
    return {
        "id": session.public_id,
        "agent_id": session.agent_id,
        "session_id": session.runtime_session_id,
        "title": session.title,
        "is_pinned": session.is_pinned,
        "archived_at": session.archived_at,
        "url": session.get_absolute_url(),
    }


@router.post("/sessions/{public_id}/pin", auth=may_manage, response=KeptOut, summary="Pin a session")
def pin_session(request: HttpRequest, public_id: UUID) -> dict[str, Any]:
    """It stands before its owner's others beside every page; an archived one comes back."""
    session = _session(request, public_id)
    keeping.pin_session(session=session)
    return _kept(session)


@router.post("/sessions/{public_id}/unpin", auth=may_manage, response=KeptOut, summary="Unpin a session")
def unpin_session(request: HttpRequest, public_id: UUID) -> dict[str, Any]:
    """It stands where its last prompt puts it; no error where it was not pinned."""
    session = _session(request, public_id)
    keeping.unpin_session(session=session)
    return _kept(session)


@router.post("/sessions/{public_id}/archive", auth=may_manage, response=KeptOut, summary="Archive a session")
def archive_session(request: HttpRequest, public_id: UUID) -> dict[str, Any]:
    """Lists of pages leave it out unless they are asked; it can still be read and invoked. It is pinned no more."""
    session = _session(request, public_id)
    keeping.archive_session(session=session)
    return _kept(session)


@router.post("/sessions/{public_id}/revive", auth=may_manage, response=KeptOut, summary="Bring a session back to lists")
def revive_session(request: HttpRequest, public_id: UUID) -> dict[str, Any]:
    """It is archived no more; no error where it was not."""
    session = _session(request, public_id)
    keeping.revive_session(session=session)
    return _kept(session)


@router.delete("/sessions/{public_id}", auth=may_manage, response={204: None}, summary="Delete a session")
def delete_session(request: HttpRequest, public_id: UUID) -> Status[None]:
    """With its runs, recordings and measurements, for everybody and at once; AgentCore is not told. For an hour
    `restore` brings it back. 409 `session_busy` while it is answering: stop it first.
    """
    keeping.delete_session(session=_session(request, public_id))
    return Status(204, None)


@router.post(
    "/sessions/{public_id}/restore", auth=may_manage, response=KeptOut, summary="Undo the deletion of a session"
)
def restore_session(request: HttpRequest, public_id: UUID) -> dict[str, Any]:
    """404 once it is gone for good; no error for one that was not deleted."""
    session = session_visible_to(request.user, public_id)
    if session is None:
        deleted = deleted_sessions_visible_to(request.user, keeping.restorable_since(timezone.now()))
        session = found(deleted.filter(public_id=public_id).first(), "session", public_id)
        keeping.restore_session(session=session)
    return _kept(session)
