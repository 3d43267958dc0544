"""Starting runs, at once or by way of the queue, going on with them, and stopping them."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from apps.agents.forms import PROMPT_MAX_LENGTH
from apps.agents.payload import check_payload
from apps.core.exceptions import InvalidInputError, LoomError, MissingError
from apps.core.notices.notices import notify
from apps.sessions.engine import guards, ledger
from apps.sessions.engine.engine import engine
from apps.sessions.engine.host import check_agent, host_of
from apps.sessions.engine.recorder import STOP_TOPIC
from apps.sessions.engine.recording import Pending, finish_whatever_listens
from apps.sessions.engine.turns import writing
from apps.sessions.exceptions import QueueFullError, RequestKeyReusedError, SessionBusyError, SessionStoppingError
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.sessions.selectors import events_after
from apps.sessions.signals import runs_queued
from loom_events.storable import storable_text

logger = logging.getLogger(__name__)


REQUEST_KEY_LENGTH = 64
STOP_WITHIN_S = 5.0
ENQUEUE_TRIES = 5
NOW = object()  # in a state: the instant at which it is stored


def check_storable(text: str) -> None:
    """Raise InvalidInputError for text that PostgreSQL and UTF-8 refuse; it would not reach the agent unchanged."""
    if storable_text(text) != text:
        raise InvalidInputError(
            "The text holds characters that cannot be stored.",
            advice="Remove NUL characters and halves of surrogate pairs.",
        )


def check_prompt(prompt: str) -> None:
    """Raise InvalidInputError for one that is too long or cannot be stored, whoever sends it."""
    if len(prompt) > PROMPT_MAX_LENGTH:
        raise InvalidInputError(
            f"A prompt has at most {PROMPT_MAX_LENGTH:,} characters; this one has {len(prompt):,}.",
            advice="Send more as a payload.",
        )
    check_storable(prompt)


def check_request_key(request_key: str) -> None:
    """Raise InvalidInputError for a key that does not fit its column."""
    if len(request_key) > REQUEST_KEY_LENGTH:
        raise InvalidInputError(
            f"The request key is longer than {REQUEST_KEY_LENGTH} characters.", advice="A UUID is a good one."
        )
    check_storable(request_key)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of a session. `payload` is JSON text that is sent as it is; None: what the host makes of the
    prompt. The same `key` in the same session again is the same run.
    """

    prompt: str
    payload: str | None = None
    key: str = ""
    source: Invocation.Source = Invocation.Source.MANUAL
    parent: Invocation | None = None
    repeated_from: Invocation | None = None


def start_invocation(
    *, session: Session, prompt: str, process_id: UUID | None, payload: str | None = None, request_key: str = ""
) -> Invocation:
    """Store a pending run, the only one of its session, for the process that will stream it.

    Raises SessionBusyError for the second of two callers: one prompt is one request, whoever clicks twice.
    """
    return _store_invocation(session, Request(prompt, payload, request_key), {"process_id": process_id})[0]


def _store_invocation(session: Session, request: Request, state: dict[str, Any]) -> tuple[Invocation, bool]:
    """The run of this request, and whether it is a new one; `state` says who has it and how it stands."""
    check_request_key(request.key)
    check_prompt(request.prompt)
    if request.payload is not None:
        check_payload(request.payload)
    agent, now = session.agent, timezone.now()
    try:
        check_agent(agent)
        guards.check_before(session)
        host = host_of(agent.kind)
        invocation = Invocation(
            session=session,
            prompt=request.prompt,
            payload=host.payload(session, request.prompt) if request.payload is None else request.payload,
            request_key=request.key,
            requested_at=now,
            kind=agent.kind,
            source=request.source,
            parent=request.parent,
            repeated_from=request.repeated_from,
            **{name: now if value is NOW else value for name, value in state.items()},
        )
        _insert(invocation)
        if invocation.process_id is not None:  # this process is about to answer it
            guards.watch(invocation)
    except (IntegrityError, LoomError) as error:
        # Looked for only now: nearly every request is a new one, and each query delays its first token.
        earlier = _invocation_of_request(session, request)
        if earlier is not None:
            return earlier, False
        if isinstance(error, IntegrityError):
            raise SessionBusyError from error
        raise
    logger.log(
        invocation.log_level,
        "invocation started id=%s agent=%s session=%s prompt_length=%d",
        invocation.pk, session.agent_id, session.runtime_session_id, len(request.prompt),
        extra={
            "invocation": invocation.pk, "agent": session.agent_id, "session": session.pk,
            "runtime_session": session.runtime_session_id, "prompt_length": len(request.prompt),
        },
    )  # fmt: skip
    return invocation, True


def _insert(invocation: Invocation) -> None:
    """Store a run as the next of its session; raises IntegrityError where that is answering or the key is used."""
    session = invocation.session
    with writing(is_first=True):
        # The row is locked by that: whoever wants the same session at the same time waits here.
        if not ledger.update_session({"last_invoked_at": invocation.requested_at}, pk=session.pk):
            raise MissingError("This session was deleted.")
        invocation.number = ledger.next_number(session.pk)
        invocation.version = host_of(session.agent.kind).version(session.agent, session.qualifier)
        ledger.insert_run(invocation)
        notify(session.topic, f"started:{invocation.pk}")
    session.last_invoked_at = invocation.requested_at


def _invocation_of_request(session: Session, request: Request) -> Invocation | None:
    """The run that this request started when it came before; raises RequestKeyReusedError for another content."""
    if not request.key:
        return None
    invocation = Invocation.objects.filter(session=session, request_key=request.key).first()
    if invocation is None:
        return None
    invocation.session = session
    is_removed = invocation.content_removed_at is not None
    is_other = invocation.prompt != request.prompt or request.payload not in {None, invocation.payload}
    if not is_removed and is_other:
        raise RequestKeyReusedError
    return invocation


def invoke(
    *,
    session: Session,
    prompt: str,
    payload: str | None = None,
    request_key: str = "",
    source: Invocation.Source = Invocation.Source.MANUAL,
    repeated_from: Invocation | None = None,
) -> Invocation:
    """Store a run and set it going in this process; call it from a thread. See `Request`.

    One step for a caller that can be cut off at any moment (a browser that leaves cancels its request): a thread is
    not, so there is no stored run that nobody runs. A request that came before is not sent again. Where the run before
    was asked to stop, its end is waited for.
    """
    request = Request(prompt, payload, request_key, source, repeated_from=repeated_from)
    try:
        return _invoke(session, request)
    except SessionBusyError:
        stopping = session.invocations.filter(status__in=Invocation.UNFINISHED, stop_requested_at__isnull=False).first()
        if stopping is None:
            raise
        if not wait_for_end(stopping.pk):
            raise SessionStoppingError from None
    return _invoke(session, request)


def _invoke(session: Session, request: Request) -> Invocation:
    with engine.admission() as process_id:
        invocation, is_new = _store_invocation(session, request, {"process_id": process_id, "claimed_at": NOW})
        if is_new:
            engine.launch_soon(invocation)
    return invocation


def enqueue(*, session: Session, request: Request) -> Invocation:
    """Store a run for whichever process that runs agents has room first; within a second where any has.

    From any process and thread, also within a transaction. Raises as `invoke` does, SessionBusyError above all.
    """
    state = {"status": Invocation.Status.QUEUED, "queued_at": NOW}
    invocation, is_new = _store_invocation(session, request, state)
    if is_new:
        transaction.on_commit(lambda: runs_queued.send(sender=Invocation), robust=True)
    return invocation


def store_adopted(*, session: Session, request: Request) -> Invocation:
    """Store a run whose events arrive from outside, for `engine.adopt`; the same key again is the same run."""
    return _store_invocation(session, request, {"claimed_at": NOW, "status": Invocation.Status.PENDING})[0]


def enqueue_prompt(*, session: Session, request: Request, most: int | None = None) -> QueuedPrompt | Invocation:
    """Queue a prompt behind what the session is answering and what waits there, or at once where it is free.

    It becomes a run, with its number, in the transaction in which the session gets free. The same key again is the same
    prompt, also where it is a run by now. Raises QueueFullError where `most` prompts wait already.
    """
    check_request_key(request.key)
    check_prompt(request.prompt)
    if request.payload is not None:
        check_payload(request.payload)
    for _ in range(ENQUEUE_TRIES):
        with suppress(SessionBusyError), transaction.atomic():  # somebody else began a run meanwhile
            return _put_ahead(session, request, most)
    raise SessionBusyError


def _put_ahead(session: Session, request: Request, most: int | None) -> QueuedPrompt | Invocation:
    # Locked in the order of the end of a run, which then sees this prompt, or was before it.
    unfinished = session.invocations.filter(status__in=Invocation.UNFINISHED)
    running = unfinished.select_for_update(no_key=True, of=("self",)).order_by("pk").first()
    ahead = list(session.queued_prompts.select_for_update(of=("self",)).order_by("position"))
    known = next((prompt for prompt in ahead if request.key and prompt.request_key == request.key), None)
    if known is not None:
        if (known.text, known.payload) != (request.prompt, request.payload):
            raise RequestKeyReusedError
        return known
    earlier = _invocation_of_request(session, request)
    if earlier is not None:
        return earlier
    if running is None and not ahead:
        return enqueue(session=session, request=request)
    if most is not None and len(ahead) >= most:
        raise QueueFullError(most)
    return QueuedPrompt.objects.create(
        session=session,
        position=ahead[-1].position + 1 if ahead else 1,
        text=request.prompt,
        payload=request.payload,
        request_key=request.key,
        source=request.source,
        repeated_from=request.repeated_from,
        is_held=any(prompt.is_held for prompt in ahead),
        created_at=timezone.now(),
    )


def resume_invocation(*, invocation: Invocation) -> bool:
    """Put a run that waited for a person back into the queue; False where it does not wait any more.

    Whatever was answered is stored by who asked. The same recording goes on, in any process; the time that it waited
    is taken off its total latency.
    """
    now = timezone.now()
    with transaction.atomic():
        waiting = Invocation.objects.select_for_update().filter(pk=invocation.pk, status=Invocation.Status.WAITING)
        row = waiting.first()
        if row is None:
            return False
        events = events_after(row.pk)
        last_ms = events[-1]["offset_ms"] if events else 0.0
        waited_ms = max((now - (row.invoked_at or now)).total_seconds() * 1000 - last_ms, 0.0)
        row.status, row.queued_at, row.waited_ms = Invocation.Status.QUEUED, now, (row.waited_ms or 0.0) + waited_ms
        row.save(update_fields=["status", "queued_at", "waited_ms"])
        notify(invocation.session.topic, f"changed:{row.pk}")
        transaction.on_commit(lambda: runs_queued.send(sender=Invocation), robust=True)
    return True


def stop_invocation(*, invocation: Invocation) -> bool:
    """Stop a run, wherever it is: in this process, in another one, in the queue, waiting for a person.

    From any thread; returns False where it is over already. What had arrived is kept.
    """
    # Where it runs here it is stopped at once, whatever the database does; elsewhere a notice tells of the row.
    rows = Invocation.objects.filter(pk=invocation.pk)
    is_here = engine.stop(invocation.pk)
    if not is_here:
        rows = rows.filter(status__in=Invocation.UNFINISHED)
    with transaction.atomic():
        if not rows.update(stop_requested_at=timezone.now()):
            return False
        if not is_here:
            notify(STOP_TOPIC, f"stop:{invocation.pk}")
    _end_unheld(invocation.pk)
    return True


def wait_for_end(invocation_id: int) -> bool:
    """Let a run that was asked to stop end; from a thread. False where it has not done so within `STOP_WITHIN_S`."""
    deadline = time.monotonic() + STOP_WITHIN_S
    while Invocation.objects.filter(pk=invocation_id, status__in=Invocation.UNFINISHED).exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop_soon(invocation: Invocation) -> None:
    """`stop_invocation` for a coroutine that is being cancelled and can wait for nothing."""
    if not engine.stop(invocation.pk):
        asyncio.get_running_loop().run_in_executor(None, _stop_elsewhere, invocation)


def _stop_elsewhere(invocation: Invocation) -> None:
    try:
        stop_invocation(invocation=invocation)
    finally:
        connections.close_all()


def _end_unheld(invocation_id: int) -> None:
    """End a run that no process holds: nobody would hear that it is to stop."""
    unheld = Invocation.objects.filter(
        pk=invocation_id, process=None, status__in=(Invocation.Status.QUEUED, Invocation.Status.WAITING)
    )
    for invoked_at in unheld.values_list("invoked_at", flat=True):
        rest = Pending(invocation_id, [], {"is_unsent": invoked_at is None})
        finish_whatever_listens(None, rest, status=Invocation.Status.STOPPED, completed_at=timezone.now())
