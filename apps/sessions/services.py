"""Every change of sessions and invocations that is not the stream itself."""

from __future__ import annotations

import logging
import uuid
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.exceptions import AgentRuntimeError
from apps.agents.models import Agent
from apps.agents.payload import build_payload
from apps.agents.services import refresh_agent
from apps.aws.arn import is_valid_session_id
from apps.aws.stream_events import storable_text
from apps.core.exceptions import InvalidInputError
from apps.core.notices import notify
from apps.sessions import live
from apps.sessions.exceptions import AgentUnavailableError, SessionBusyError, UnknownQualifierError
from apps.sessions.models import Invocation, Session

logger = logging.getLogger(__name__)

TITLE_LENGTH = 80


def check_invokable(agent: Agent) -> None:
    """Raise AgentUnavailableError where an invocation could only fail."""
    if agent.removed_at is not None:
        raise AgentUnavailableError(f"{agent.name} was removed.", advice="Register its ARN again to invoke it.")
    if agent.origin != settings.LOOM_AWS:
        raise AgentUnavailableError(
            f"{agent.name} lives on {agent.get_origin_display()}; this Loom runs with LOOM_AWS={settings.LOOM_AWS}."
        )
    if agent.authorizer_kind == Agent.Authorizer.JWT:
        raise AgentUnavailableError(
            f"{agent.name} accepts only JWT bearer tokens, and Loom signs requests with IAM.",
            advice="Invoke an agent without a customJWTAuthorizer, or give this one a second runtime with IAM.",
        )


def check_qualifier(agent: Agent, qualifier: str) -> None:
    """Raise UnknownQualifierError unless the agent has that endpoint, asking AWS once more before saying so."""
    if qualifier in agent.available_qualifiers:
        return
    try:
        refresh_agent(agent=agent)
    except AgentRuntimeError:
        logger.warning("refresh for an unknown qualifier failed agent=%s", agent.pk)
    if qualifier not in agent.available_qualifiers:
        known = ", ".join(agent.available_qualifiers)
        raise UnknownQualifierError(
            f"{agent.name} has no endpoint of this name.", advice=f"Its endpoints are: {known}."
        )


def check_storable(text: str) -> None:
    """Raise InvalidInputError for text that PostgreSQL and UTF-8 refuse; it would not reach the agent unchanged."""
    if storable_text(text) != text:
        raise InvalidInputError(
            "The text holds characters that cannot be stored.",
            advice="Remove NUL characters and halves of surrogate pairs.",
        )


def check_session_id(runtime_session_id: str) -> None:
    """Raise InvalidInputError unless AgentCore would take this as the id of a session."""
    if not is_valid_session_id(runtime_session_id):
        raise InvalidInputError(
            "This is not a runtime session id.",
            advice="It has 33 to 100 letters, digits, - or _ and begins with a letter or a digit; str(uuid4()) is one.",
        )


def start_session(
    *, agent: Agent, owner: User, qualifier: str = "DEFAULT", runtime_session_id: str | None = None, title: str = ""
) -> Session:
    """Make a session; with `runtime_session_id` one that exists outside Loom.

    May block for one refresh of the agent.
    """
    check_invokable(agent)
    check_qualifier(agent, qualifier)
    if runtime_session_id is not None:
        check_session_id(runtime_session_id)
    check_storable(title)
    lines = title.strip().splitlines() or [""]
    try:
        with transaction.atomic():
            return Session.objects.create(
                agent=agent,
                owner=owner,
                qualifier=qualifier,
                runtime_session_id=runtime_session_id or str(uuid.uuid4()),
                is_own_id=runtime_session_id is None,
                title=lines[0][:TITLE_LENGTH],
                created_at=timezone.now(),
            )
    except IntegrityError as error:
        raise SessionBusyError from error


def start_invocation(*, session: Session, prompt: str, process_id: UUID | None) -> Invocation:
    """Store a pending run, the only one of its session, for the process that will stream it.

    Raises SessionBusyError for the second of two callers: one prompt is one request, whoever clicks twice.
    """
    check_invokable(session.agent)
    check_storable(prompt)
    endpoint = session.agent.endpoints.filter(name=session.qualifier).first()
    try:
        with transaction.atomic():
            Session.objects.select_for_update().get(pk=session.pk)
            last = session.invocations.aggregate(last=Max("number"))["last"] or 0
            invocation = Invocation.objects.create(
                session=session,
                number=last + 1,
                prompt=prompt,
                payload=build_payload(session.agent.payload_template, prompt),
                requested_at=timezone.now(),
                version=endpoint.live_version if endpoint else "",
                process_id=process_id,
            )
            notify(session.topic, "started")
    except IntegrityError as error:
        raise SessionBusyError from error
    logger.info("invocation started id=%s session=%s prompt_length=%d", invocation.pk, session.pk, len(prompt))
    return invocation


def invoke(*, session: Session, prompt: str) -> Invocation:
    """Store a run and set it going in this process; call it from a thread.

    One step for a caller that can be cut off at any moment (a browser that leaves cancels its request): a thread is
    not, so there is no stored run that nobody runs.
    """
    invocation = start_invocation(session=session, prompt=prompt, process_id=live.engine.process_id)
    live.engine.launch_soon(invocation)
    return invocation


def request_stop(*, invocation: Invocation) -> bool:
    """Ask the process that streams a run to stop it; return False where the run is over already."""
    running = Invocation.objects.filter(pk=invocation.pk, status__in=Invocation.RUNNING)
    return bool(running.update(stop_requested_at=timezone.now()))
