"""Sending the prompt of a run once more: in its session, in a fresh one, to another agent or endpoint, or edited."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError, MissingError
from apps.sessions.engine.host import check_agent, host_of
from apps.sessions.exceptions import UnknownQualifierError
from apps.sessions.invoking import Request, check_request_key, enqueue, enqueue_prompt, invoke
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session
from apps.sessions.typed_ahead import send_or_add

DEFAULT_QUALIFIER = "DEFAULT"
MOST_EARLIER = 30
_KEYS = uuid.UUID("8c7f4f0e-5a0f-4c39-9d0f-6b7f5f6f2d11")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a prompt is sent once more. Without an agent and an endpoint it is that of the run, in its session.

    Another agent or endpoint always means a fresh session: a session stays where it began.
    """

    agent: Agent | None = None
    qualifier: str | None = None
    is_fresh: bool = False


HERE = Target()


@dataclass(frozen=True, slots=True)
class Repeat:
    """The run that was started, and how many prompts follow it in its session."""

    invocation: Invocation
    waiting_count: int = 0


def repeat_run(
    *,
    run: Invocation,
    user: User,
    target: Target = HERE,
    request_key: str = "",
    source: Invocation.Source = Invocation.Source.MANUAL,
) -> Repeat:
    """Send what was sent in `run` (with its session and agent loaded) once more, and set it going in this process.

    Raises SessionBusyError where its own session is answering, and whatever refuses the agent or the endpoint. The same
    `request_key` again is the same run. A fresh session belongs to `user`.
    """
    _check_known(run)
    agent, qualifier, is_here = _place(run, target)
    title = run.prompt or run.payload
    session = run.session if is_here else _fresh_session(agent, qualifier, user, title, request_key)
    invocation = invoke(
        session=session, prompt=run.prompt, payload=own_body(run), request_key=request_key, source=source,
        repeated_from=run,
    )  # fmt: skip
    return Repeat(invocation)


def repeat_here(*, run: Invocation, request_key: str = "") -> bool:
    """Send what was sent in `run` once more in its session, behind what that answers; tell whether it began at once."""
    _check_known(run)
    request = Request(run.prompt, own_body(run), request_key, repeated_from=run)
    return isinstance(send_or_add(session=run.session, request=request), Invocation)


def run_edited(
    *,
    run: Invocation,
    user: User,
    prompt: str,
    has_earlier: bool,
    target: Target = HERE,
    request_key: str = "",
    source: Invocation.Source = Invocation.Source.MANUAL,
) -> Repeat:
    """Send another prompt in the place of that of `run`, in a fresh session.

    The agent begins without memory. With `has_earlier` the prompts before it are sent again first, in order, each when
    the one before is answered, so that its tools run again as well; the returned run is then the first of them.
    """
    if not prompt.strip():
        raise InvalidInputError("The prompt is empty.", advice="Type what is to be sent.")
    check_request_key(request_key)
    earlier = earlier_runs(run) if has_earlier else []
    agent, qualifier, _ = _place(run, target)
    requests = [
        Request(other.prompt, own_body(other), _key_of(request_key, other.number), source, repeated_from=other)
        for other in earlier
    ]
    requests.append(Request(prompt, None, request_key, source, repeated_from=run))
    session = _fresh_session(agent, qualifier, user, prompt, request_key)
    if len(requests) == 1:
        invocation = invoke(
            session=session, prompt=prompt, request_key=request_key, source=source, repeated_from=run
        )  # fmt: skip
        return Repeat(invocation)
    with transaction.atomic():  # all of them or none
        invocation = enqueue(session=session, request=requests[0])
        for request in requests[1:]:
            enqueue_prompt(session=session, request=request)
    return Repeat(invocation, len(requests) - 1)


def earlier_runs(run: Invocation) -> list[Invocation]:
    """The runs of its session before this one that its agent may remember; raises where they cannot be sent again."""
    before = run.session.invocations.filter(number__lt=run.number, is_unsent=False).order_by("number")
    runs = list(before.exclude(invoked_at=None).select_related("session__agent")[: MOST_EARLIER + 1])
    if len(runs) > MOST_EARLIER:
        raise InvalidInputError(
            f"More than {MOST_EARLIER} prompts were sent before this one.",
            advice="Begin without them, and say in the prompt what the agent has to know.",
        )
    for other in runs:
        _check_known(other)
    return runs


def own_body(run: Invocation) -> str | None:
    """The body as it was sent, or None where the host made it of the prompt, and makes the same of it in that session.

    Such a body may name its session, and another agent has a template of its own.
    """
    made = host_of(run.session.agent.kind).payload(run.session, run.prompt)
    return None if run.payload in {"", made} else run.payload


def _check_known(run: Invocation) -> None:
    if run.content_removed_at is not None:
        raise MissingError("What was sent then is not known any more.", advice="Type the prompt again.")


def _place(run: Invocation, target: Target) -> tuple[Agent, str, bool]:
    """The agent, its endpoint, and whether that is the session of the run itself."""
    agent = target.agent or run.session.agent
    is_same_agent = agent.pk == run.session.agent_id
    qualifier = target.qualifier or (run.session.qualifier if is_same_agent else DEFAULT_QUALIFIER)
    if is_same_agent and qualifier == run.session.qualifier and not target.is_fresh:
        return agent, qualifier, True
    _check_endpoint(agent, qualifier)
    return agent, qualifier, False


def _check_endpoint(agent: Agent, qualifier: str) -> None:
    """Raise where the agent cannot be invoked there; who names a version hears which endpoints lead to it."""
    if not qualifier.isdecimal() or qualifier in agent.available_qualifiers:
        check_agent(agent, qualifier)
        return
    check_agent(agent)
    leading = [endpoint.name for endpoint in agent.endpoints.all() if endpoint.live_version == qualifier]
    if leading:
        advice = f"Version {qualifier} is live behind {', '.join(leading)}: name one of them."
    else:
        advice = f"No endpoint leads to version {qualifier} now. Let one lead there on AWS, then refresh the agent."
    raise UnknownQualifierError(f"{agent.name} is invoked by its endpoints, never by a version.", advice=advice)


def _fresh_session(agent: Agent, qualifier: str, user: User, title: str, request_key: str) -> Session:
    return start_session(agent=agent, owner=user, qualifier=qualifier, title=title, request_key=request_key)


def _key_of(request_key: str, number: int) -> str:
    """The key of one of several prompts that one request sends."""
    return str(uuid.uuid5(_KEYS, f"{request_key} {number}")) if request_key else ""
