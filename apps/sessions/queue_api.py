"""What is typed ahead in a session, over JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from ninja.params import functions

from apps.accounts.access import may_invoke, may_read
from apps.agents.forms import PROMPT_MAX_LENGTH
from apps.core.exceptions import InvalidInputError
from apps.sessions import typed_ahead
from apps.sessions.api import find_session
from apps.sessions.invoking import REQUEST_KEY_LENGTH, Request
from apps.sessions.models import Invocation, QueuedPrompt, Session

router = Router(tags=["sessions"])
PATH = "/agents/{int:agent_id}/sessions/{session_id}/queue"


class QueuedIn(Schema):
    prompt: str = Field("", max_length=PROMPT_MAX_LENGTH, description="Needed unless there is a `payload`.")
    payload: Any = Field(None, description="JSON that is sent as it is, instead of the agent's template.")


class QueuedChangeIn(Schema):
    prompt: str | None = Field(None, max_length=PROMPT_MAX_LENGTH)
    payload: Any = Field(None, description="Another body, of one that was put there as a body.")
    position: int | None = Field(None, ge=1, le=2**31 - 1, description="From 1; beyond the last it is the last.")


class QueuedOut(Schema):
    """A prompt that waits. `position` counts from 1, which is sent next."""

    id: int
    position: int
    prompt: str
    payload: Any
    repeated_from: int | None
    created_at: datetime


class QueueOut(Schema):
    """`is_held`: the answer before was stopped, and nothing is sent before `…/queue/send`."""

    items: list[QueuedOut]
    next: str | None = Field(description="Always null: no more than `limit` are there.")
    is_held: bool
    limit: int


class QueuedAddedOut(Schema):
    """`queued` where the prompt waits; `id` and `invocation` (its number) where it is a run already."""

    queued: QueuedOut | None
    id: int | None
    invocation: int | None


class SentOut(Schema):
    """The run that was sent; null where nothing waits, or where all of it follows the present answer."""

    id: int | None
    invocation: int | None


class RemovedOut(Schema):
    removed_count: int


def _queued_out(prompt: QueuedPrompt, position: int) -> dict[str, Any]:
    return {
        "id": prompt.pk,
        "position": position,
        "prompt": prompt.text,
        "payload": None if prompt.payload is None else json.loads(prompt.payload),
        "repeated_from": prompt.repeated_from_id,
        "created_at": prompt.created_at,
    }


def _queue_out(session: Session) -> dict[str, Any]:
    ahead = typed_ahead.ahead_of(session)
    items = [_queued_out(prompt, position) for position, prompt in enumerate(ahead.prompts, 1)]
    return {"items": items, "next": None, "is_held": ahead.is_held, "limit": typed_ahead.MOST_AHEAD}


@router.get(PATH, auth=may_read, response=QueueOut, summary="Read what waits in a session")
def get_queue(request: HttpRequest, agent_id: int, session_id: str) -> dict[str, Any]:
    """The prompts that were typed ahead, in the order in which they are sent."""
    return _queue_out(find_session(request.user, agent_id, session_id))


@router.post(PATH, auth=may_invoke, response={202: QueuedAddedOut}, summary="Put a prompt behind what is answered")
def add_queued(
    request: HttpRequest,
    agent_id: int,
    session_id: str,
    body: QueuedIn,
    idempotency_key: str = functions.Header(
        "", description="Your name of this request: sent again, it is the same prompt.", max_length=REQUEST_KEY_LENGTH
    ),
) -> Status[dict[str, Any]]:
    """It is sent when the answer before it is over; at once where the session is free and nothing waits. At most ten
    wait (409 `queue_full`).
    """
    session = find_session(request.user, agent_id, session_id)
    payload = None if body.payload is None else json.dumps(body.payload, ensure_ascii=False)
    sent = Request(body.prompt, payload, idempotency_key, Invocation.Source.API)
    added = typed_ahead.add_prompt(session=session, request=sent)
    if isinstance(added, Invocation):
        return Status(202, {"queued": None, "id": added.pk, "invocation": added.number})
    places = [prompt.pk for prompt in typed_ahead.ahead_of(session).prompts]
    position = places.index(added.pk) + 1 if added.pk in places else 1
    return Status(202, {"queued": _queued_out(added, position), "id": None, "invocation": None})


@router.post(f"{PATH}/send", auth=may_invoke, response={202: SentOut}, summary="Send what is held in a session")
def send_queued(request: HttpRequest, agent_id: int, session_id: str) -> Status[dict[str, Any]]:
    """After a stop what waits is held: this sends the first of it, and the others follow."""
    run = typed_ahead.send_next(session=find_session(request.user, agent_id, session_id))
    return Status(202, {"id": run.pk if run else None, "invocation": run.number if run else None})


@router.patch(f"{PATH}/{{int:prompt_id}}", auth=may_invoke, response=QueueOut, summary="Change or move what waits")
def change_queued(
    request: HttpRequest, agent_id: int, session_id: str, prompt_id: int, body: QueuedChangeIn
) -> dict[str, Any]:
    """404 where it was sent or removed meanwhile."""
    session = find_session(request.user, agent_id, session_id)
    if body.prompt is not None and body.payload is not None:
        raise InvalidInputError("Give `prompt` or `payload`, not both.")
    if body.prompt is not None:
        typed_ahead.change_prompt(session=session, prompt_id=prompt_id, text=body.prompt, is_payload=False)
    elif body.payload is not None:
        text = json.dumps(body.payload, ensure_ascii=False)
        typed_ahead.change_prompt(session=session, prompt_id=prompt_id, text=text, is_payload=True)
    if body.position is not None:
        typed_ahead.move_prompt(session=session, prompt_id=prompt_id, place=body.position)
    return _queue_out(session)


@router.delete(
    f"{PATH}/{{int:prompt_id}}", auth=may_invoke, response={204: None}, summary="Take back a prompt that waits"
)
def remove_queued(request: HttpRequest, agent_id: int, session_id: str, prompt_id: int) -> Status[None]:
    """404 where it was sent or removed meanwhile."""
    typed_ahead.remove_prompt(session=find_session(request.user, agent_id, session_id), prompt_id=prompt_id)
    return Status(204, None)


@router.delete(PATH, auth=may_invoke, response=RemovedOut, summary="Take back all that waits in a session")
def clear_queue(request: HttpRequest, agent_id: int, session_id: str) -> dict[str, Any]:
    """The run that is being answered goes on."""
    return {"removed_count": typed_ahead.remove_prompts(session=find_session(request.user, agent_id, session_id))}
