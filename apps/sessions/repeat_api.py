"""Sending the prompt of a run once more, over JSON."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from ninja.params import functions

from apps.accounts.access import may_invoke
from apps.agents.forms import PROMPT_MAX_LENGTH, QUALIFIER_SCHEMA
from apps.agents.selectors import registry_visible_to
from apps.core.exceptions import found
from apps.sessions.invoking import REQUEST_KEY_LENGTH
from apps.sessions.models import Invocation
from apps.sessions.repeating import Target, repeat_run, run_edited
from apps.sessions.selectors import run_visible_to

router = Router(tags=["sessions"])


class RepeatIn(Schema, extra="forbid"):
    """All of it may be left out; a name that is misspelt is refused, since the prompt would go elsewhere."""

    agent_id: int | None = Field(None, ge=1, le=2**63 - 1, description="Another agent; the run's own without it.")
    qualifier: str | None = Field(
        None,
        description="The endpoint's name, never a version. Without it the run's own; DEFAULT of another agent.",
        json_schema_extra=QUALIFIER_SCHEMA,
    )
    is_fresh: bool = Field(False, description="In a new session also where agent and endpoint are those of the run.")
    prompt: str | None = Field(
        None,
        max_length=PROMPT_MAX_LENGTH,
        description="Sent in the place of the run's, in a new session: the agent begins without memory.",
    )
    has_earlier: bool = Field(
        False,
        description="With `prompt`: send the prompts before it again first, in order. Their tools run again as well.",
    )


class RepeatOut(Schema):
    """The run that was started. With `has_earlier` it is the first of several, and `waiting_count` follow it."""

    id: int
    invocation: int = Field(description="Its number in the session.")
    session_id: str
    session_public_id: UUID
    agent_id: int
    qualifier: str
    url: str
    repeated_from: int | None
    waiting_count: int


@router.post(
    "/runs/{int:run_id}/repeat", auth=may_invoke, response={202: RepeatOut}, summary="Send the prompt of a run again"
)
def repeat(
    request: HttpRequest,
    run_id: int,
    body: RepeatIn,
    idempotency_key: str = functions.Header(
        "", description="Your name of this request: sent again, it is the same run.", max_length=REQUEST_KEY_LENGTH
    ),
) -> Status[dict[str, Any]]:
    """What was sent is sent as it was, in the session of the run, which gets 409 while it is answering; or in a fresh
    one, which every other agent and endpoint means. There the agent's template is filled anew, unless a body of its own
    was sent.
    """
    run = found(run_visible_to(request.user, run_id), "run", run_id)
    agent = None
    if body.agent_id is not None:
        agent = found(registry_visible_to(request.user).filter(pk=body.agent_id).first(), "agent", body.agent_id)
    target = Target(agent, body.qualifier, body.is_fresh)
    user, source = request.auth, Invocation.Source.API  # type: ignore[attr-defined]
    if body.prompt is None:
        repeated = repeat_run(run=run, user=user, target=target, request_key=idempotency_key, source=source)
    else:
        repeated = run_edited(
            run=run, user=user, prompt=body.prompt, has_earlier=body.has_earlier, target=target,
            request_key=idempotency_key, source=source,
        )  # fmt: skip
    started = repeated.invocation
    session = started.session
    return Status(
        202,
        {
            "id": started.pk,
            "invocation": started.number,
            "session_id": session.runtime_session_id,
            "session_public_id": session.public_id,
            "agent_id": session.agent_id,
            "qualifier": session.qualifier,
            "url": session.get_absolute_url(),
            "repeated_from": started.repeated_from_id,
            "waiting_count": repeated.waiting_count,
        },
    )
