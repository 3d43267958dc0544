"""Every change of sessions and invocations that is not the stream itself."""

from __future__ import annotations

import logging
import time
import uuid
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Max
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.payload import build_payload
from apps.agentcore.services import refresh_agent
from apps.agents.models import Agent
from apps.agents.payload import check_payload
from apps.aws.arn import is_valid_session_id
from apps.aws.errors import AwsError, NotFoundError
from apps.aws.stream_events import storable_text
from apps.core.exceptions import InvalidInputError, MissingError
from apps.core.notices import notify
from apps.sessions.engine.engine import engine
from apps.sessions.exceptions import (
    AgentUnavailableError,
    RequestKeyReusedError,
    SessionBusyError,
    UnknownQualifierError,
)
from apps.sessions.models import Invocation, Session

logger = logging.getLogger(__name__)

TITLE_LENGTH = 80
REQUEST_KEY_LENGTH = 64
STOP_WITHIN_S = 5.0


def check_invokable(agent: Agent) -> None:
    """Raise AgentUnavailableError where an invocation could only fail."""
    if agent.removed_at is not None:
        raise AgentUnavailableError(f"{agent.name} is archived.", advice="Bring it back to invoke it.")
    check_origin(agent)
    if agent.authorizer_kind == Agent.Authorizer.JWT:
        raise AgentUnavailableError(
            f"{agent.name} accepts only JWT bearer tokens, and Loom signs requests with IAM.",
            advice="Invoke an agent without a customJWTAuthorizer, or give this one a second runtime with IAM.",
        )


def check_origin(agent: Agent) -> None:
    """Raise AgentUnavailableError for an agent of the other AWS."""
    if agent.origin != settings.LOOM_AWS:
        raise AgentUnavailableError(
            f"{agent.name} lives on {agent.get_origin_display()}; this Loom runs with LOOM_AWS={settings.LOOM_AWS}."
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


def check_request_key(request_key: str) -> None:
    """Raise InvalidInputError for a key that does not fit its column."""
    if len(request_key) > REQUEST_KEY_LENGTH:
        raise InvalidInputError(
            f"The request key is longer than {REQUEST_KEY_LENGTH} characters.", advice="A UUID is a good one."
        )
    check_storable(request_key)


def start_session(
    *,
    agent: Agent,
    owner: User,
    qualifier: str = "DEFAULT",
    runtime_session_id: str | None = None,
    title: str = "",
    request_key: str = "",
    purpose: Session.Purpose = Session.Purpose.CONVERSATION,
) -> Session:
    """Make a session; with `runtime_session_id` one that exists outside Loom.

    The same `request_key` (at most 64 characters) of the same owner again returns the same session; raises
    RequestKeyReusedError when it names another agent or endpoint. May block for one refresh of the agent.
    """
    check_request_key(request_key)
    earlier = _session_of_request(agent, owner, qualifier, request_key)
    if earlier is not None:
        return earlier
    check_invokable(agent)
    check_qualifier(agent, qualifier)
    if runtime_session_id is not None:
        check_session_id(runtime_session_id)
    check_storable(title)
    try:
        with transaction.atomic():
            return Session.objects.create(
                agent=agent,
                owner=owner,
                qualifier=qualifier,
                runtime_session_id=runtime_session_id or str(uuid.uuid4()),
                is_own_id=runtime_session_id is None,
                title=_title(title),
                purpose=purpose,
                request_key=request_key,
                created_at=timezone.now(),
            )
    except IntegrityError as error:
        earlier = _session_of_request(agent, owner, qualifier, request_key)
        if earlier is not None:
            return earlier
        raise SessionBusyError from error


def _title(text: str) -> str:
    lines = text.strip().splitlines() or [""]
    return lines[0][:TITLE_LENGTH]


def _session_of_request(agent: Agent, owner: User, qualifier: str, request_key: str) -> Session | None:
    """The session that this request made when it came before."""
    if not request_key:
        return None
    session = Session.objects.select_related("agent").filter(owner=owner, request_key=request_key).first()
    if session is not None and (session.agent_id, session.qualifier) != (agent.pk, qualifier):
        raise RequestKeyReusedError
    return session


def start_invocation(
    *, session: Session, prompt: str, process_id: UUID | None, payload: str | None = None, request_key: str = ""
) -> Invocation:
    """Store a pending run, the only one of its session, for the process that will stream it.

    `payload` is JSON text that is sent as it is; None: the agent's template with the prompt. The same `request_key` in
    the same session again returns the same run. Raises SessionBusyError for the second of two callers: one prompt is
    one request, whoever clicks twice.
    """
    return _store_invocation(session, prompt, payload, request_key, process_id=process_id)[0]


def _store_invocation(
    session: Session,
    prompt: str,
    payload: str | None,
    request_key: str,
    *,
    process_id: UUID | None,
    is_claimed: bool = False,
) -> tuple[Invocation, bool]:
    """The run of this request, and whether it is a new one."""
    check_request_key(request_key)
    check_storable(prompt)
    if payload is not None:
        check_payload(payload)
    invocation = Invocation(
        session=session,
        prompt=prompt,
        payload=build_payload(session.agent.payload_template, prompt) if payload is None else payload,
        request_key=request_key,
        requested_at=timezone.now(),
        process_id=process_id,
    )
    if is_claimed:
        invocation.claimed_at = invocation.requested_at
    try:
        check_invokable(session.agent)
        _insert(invocation)
    except (IntegrityError, AgentUnavailableError) as error:
        # Looked for only now: nearly every request is a new one, and each query delays its first token.
        earlier = _invocation_of_request(session, prompt, payload, request_key)
        if earlier is not None:
            return earlier, False
        if isinstance(error, IntegrityError):
            raise SessionBusyError from error
        raise
    logger.info("invocation started id=%s session=%s prompt_length=%d", invocation.pk, session.pk, len(prompt))
    return invocation, True


def _insert(invocation: Invocation) -> None:
    """Store a run as the next of its session; raises IntegrityError where that is answering or the key is used."""
    session = invocation.session
    with transaction.atomic():
        # The row is locked by that: whoever wants the same session at the same time waits here.
        if not Session.objects.filter(pk=session.pk).update(last_invoked_at=invocation.requested_at):
            raise MissingError("This session was deleted.")
        numbers = Invocation.objects.filter(session=session).order_by("-number").values_list("number", flat=True)
        versions = session.agent.endpoints.filter(name=session.qualifier).values_list("live_version", flat=True)
        invocation.number = next(iter(numbers[:1]), 0) + 1
        invocation.version = next(iter(versions), "")
        invocation.save(force_insert=True)
        notify(session.topic, f"started:{invocation.pk}")
    session.last_invoked_at = invocation.requested_at


def _invocation_of_request(session: Session, prompt: str, payload: str | None, request_key: str) -> Invocation | None:
    """The run that this request started when it came before; raises RequestKeyReusedError for another content."""
    if not request_key:
        return None
    invocation = Invocation.objects.filter(session=session, request_key=request_key).first()
    if invocation is None:
        return None
    invocation.session = session
    is_removed = invocation.content_removed_at is not None
    if not is_removed and (invocation.prompt != prompt or payload not in {None, invocation.payload}):
        raise RequestKeyReusedError
    return invocation


def invoke(*, session: Session, prompt: str, payload: str | None = None, request_key: str = "") -> Invocation:
    """Store a run and set it going in this process; call it from a thread. See `start_invocation`.

    One step for a caller that can be cut off at any moment (a browser that leaves cancels its request): a thread is
    not, so there is no stored run that nobody runs. A request that came before is not sent again.
    """
    with engine.admission() as process_id:
        invocation, is_new = _store_invocation(
            session, prompt, payload, request_key, process_id=process_id, is_claimed=True
        )
        if is_new:
            engine.launch_soon(invocation)
    return invocation


def request_stop(*, invocation: Invocation) -> bool:
    """Ask the process that streams a run to stop it; return False where the run is over already."""
    # Where it runs here it is stopped at once, whatever the database does; elsewhere the row is seen within 50 ms.
    rows = Invocation.objects.filter(pk=invocation.pk)
    if not engine.stop_soon(invocation.pk):
        rows = rows.filter(status__in=Invocation.RUNNING)
    return bool(rows.update(stop_requested_at=timezone.now()))


def end_session(*, session: Session) -> None:
    """Stop what the session is answering and ask AgentCore to free its environment; call it from a thread.

    Sets `ended_at` when AWS accepted, which is not proof that it is done. A session that AWS does not know any more is
    over as well. Blocks for up to a minute; raises AgentRuntimeError, or AgentUnavailableError where the agent lives on
    another AWS. The next prompt gets a new environment.
    """
    check_origin(session.agent)
    running = session.invocations.filter(status__in=Invocation.RUNNING).first()
    if running is not None and request_stop(invocation=running):
        _wait_for_end(running)
    try:
        engine.stop_runtime_session(session)
    except NotFoundError as error:
        logger.info("session to end is not there session=%s request_id=%s", session.pk, error.request_id)
    except AwsError as error:
        logger.warning("session not ended session=%s code=%s request_id=%s", session.pk, error.code, error.request_id)
        raise AgentRuntimeError(error) from error
    now = timezone.now()
    with transaction.atomic():
        Session.objects.filter(pk=session.pk).update(ended_at=now)
        notify(session.topic, "ended")
    session.ended_at = now
    logger.info("session ended session=%s", session.pk)


def _wait_for_end(invocation: Invocation) -> None:
    """Let a run that was asked to stop end by itself, so that it is not the end of its session that breaks it off."""
    deadline = time.monotonic() + STOP_WITHIN_S
    while time.monotonic() < deadline:
        if not Invocation.objects.filter(pk=invocation.pk, status__in=Invocation.RUNNING).exists():
            return
        time.sleep(0.02)


def rename_session(*, session: Session, title: str) -> None:
    """Give the session another title: the first line of `title`, at most 80 characters; empty takes it away."""
    check_storable(title)
    with transaction.atomic():
        Session.objects.filter(pk=session.pk).update(title=_title(title))
        notify(session.topic, "renamed")
    session.title = _title(title)


def delete_session(*, session: Session) -> None:
    """Delete a session with its prompts, answers, recordings and measurements; AgentCore is not told.

    Raises SessionBusyError while it is answering.
    """
    with transaction.atomic():
        Session.objects.select_for_update().filter(pk=session.pk).first()
        if session.invocations.filter(status__in=Invocation.RUNNING).exists():
            raise SessionBusyError
        topic, agent_id = session.topic, session.agent_id
        Session.objects.filter(pk=session.pk).delete()
        left = Invocation.objects.filter(session__agent=agent_id, status__in=Invocation.FINISHED)
        Agent.objects.filter(pk=agent_id).update(
            **left.aggregate(last_invoked_at=Max("requested_at"), invocation_count=Count("pk"))
        )
        notify(topic, "deleted")
    logger.info("session deleted id=%s", session.pk)
