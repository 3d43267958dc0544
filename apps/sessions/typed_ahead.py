"""What is typed ahead in a session: the prompts that wait there until it is free, in their order.

Each is sent once. What lives in the engine takes the first when a run ends (`recording.queue_next_prompt`); here are
the changes that people make. Rows are locked as the end of a run locks them: the prompts, then the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Max

from apps.agents.payload import check_payload
from apps.core.exceptions import InvalidInputError, MissingError
from apps.core.notices.notices import notify
from apps.sessions.engine import guards
from apps.sessions.engine.host import check_agent
from apps.sessions.engine.recording import queue_next_prompt
from apps.sessions.exceptions import SessionBusyError
from apps.sessions.invoking import Request, check_prompt, enqueue_prompt, invoke
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.sessions.selectors import prompts_ahead, unfinished_invocation

MOST_AHEAD = 10
CHANGED = "prompts"  # of a session: what is typed ahead there


@dataclass(frozen=True, slots=True)
class Ahead:
    """What waits in a session, in order. `is_held`: nothing of it is sent before a person says so."""

    prompts: list[QueuedPrompt]
    is_held: bool


def ahead_of(session: Session) -> Ahead:
    """What is typed ahead in a session now.

    It is held after a stop; also where nothing runs that could end, as after an end that could hardly be stored.
    """
    prompts = prompts_ahead(session)
    is_held = bool(prompts) and (prompts[0].is_held or unfinished_invocation(session) is None)
    return Ahead(prompts, is_held)


def add_prompt(*, session: Session, request: Request) -> QueuedPrompt | Invocation:
    """Put a prompt behind those that wait; where nothing runs and none waits it is a queued run at once.

    At most `MOST_AHEAD` wait: raises QueueFullError. The same key again is the same prompt, or the run it became.
    """
    check_agent(session.agent)
    if request.payload is None and not request.prompt.strip():
        raise InvalidInputError("The prompt is empty.", advice="Type a prompt, or give JSON as `payload`.")
    with transaction.atomic():
        added = enqueue_prompt(session=session, request=request, most=MOST_AHEAD)
        notify(session.topic, CHANGED)
    return added


def send_or_add(*, session: Session, request: Request) -> QueuedPrompt | Invocation:
    """Send a prompt at once where the session is free, in this process; else put it behind what is answered."""
    try:
        return invoke(
            session=session, prompt=request.prompt, payload=request.payload, request_key=request.key,
            source=request.source, repeated_from=request.repeated_from,
        )  # fmt: skip
    except SessionBusyError:
        return add_prompt(session=session, request=request)


@contextmanager
def _changing(session: Session) -> Iterator[list[QueuedPrompt]]:
    """The prompts that wait, which nobody sends or changes meanwhile; viewers hear of it at the end."""
    with transaction.atomic():
        yield list(session.queued_prompts.select_for_update(of=("self",)).order_by("position"))
        notify(session.topic, CHANGED)


def _found(prompts: list[QueuedPrompt], prompt_id: int) -> QueuedPrompt:
    for prompt in prompts:
        if prompt.pk == prompt_id:
            return prompt
    raise MissingError(
        "This prompt does not wait any more.", advice="It was sent or removed meanwhile: look at the conversation."
    )


def change_prompt(*, session: Session, prompt_id: int, text: str, is_payload: bool | None = None) -> QueuedPrompt:
    """Give a prompt that waits another text, or another body where it is one; raises MissingError where it was sent.

    `is_payload` says what `text` is where that is known; it has to be what the prompt is.
    """
    with _changing(session) as prompts:
        prompt = _found(prompts, prompt_id)
        if is_payload not in {None, prompt.payload is not None}:
            raise InvalidInputError(
                "A prompt stays a prompt, and a body a body.", advice="Remove it, and add the other one."
            )
        if prompt.payload is not None:
            prompt.payload = check_payload(text)
        elif not text.strip():
            raise InvalidInputError("The prompt is empty.", advice="Remove it where it is not to be sent.")
        else:
            check_prompt(text)
            prompt.text = text
        prompt.repeated_from = None  # it is another prompt now
        prompt.save(update_fields=["text", "payload", "repeated_from"])
    return prompt


def move_prompt(*, session: Session, prompt_id: int, place: int) -> list[QueuedPrompt]:
    """Put a prompt that waits at a place, from 1; beyond the last it is the last. Return all in their new order."""
    with _changing(session) as prompts:
        prompt = _found(prompts, prompt_id)
        ordered = [other for other in prompts if other is not prompt]
        ordered.insert(max(place, 1) - 1, prompt)
        if ordered != prompts:
            # Behind all that there are, in the new order: no two ever have the same position.
            beyond = (session.queued_prompts.aggregate(last=Max("position"))["last"] or 0) + 1
            for position, moved in enumerate(ordered, beyond):
                moved.position = position
                moved.save(update_fields=["position"])
    return ordered


def shift_prompt(*, session: Session, prompt_id: int, by: int) -> list[QueuedPrompt]:
    """Send a prompt that waits by so many places later, or earlier."""
    with transaction.atomic():
        places = [prompt.pk for prompt in session.queued_prompts.select_for_update(of=("self",)).order_by("position")]
        place = places.index(prompt_id) + 1 + by if prompt_id in places else 1
        return move_prompt(session=session, prompt_id=prompt_id, place=place)


def remove_prompt(*, session: Session, prompt_id: int) -> None:
    """Take a prompt back before it is sent; raises MissingError where that is too late."""
    with _changing(session) as prompts:
        _found(prompts, prompt_id).delete()


def remove_prompts(*, session: Session) -> int:
    """Take back all that wait; return how many there were."""
    with _changing(session) as prompts:
        QueuedPrompt.objects.filter(pk__in=[prompt.pk for prompt in prompts]).delete()
    return len(prompts)


def send_next(*, session: Session) -> Invocation | None:
    """Let what is held be sent: the first at once, the others after it, each when the one before is answered.

    Where the session is answering, all of it follows that answer, and None is returned; also where nothing waits.
    Raises whatever refuses the agent.
    """
    check_agent(session.agent)
    guards.check_before(session)
    try:
        with _changing(session) as prompts:
            QueuedPrompt.objects.filter(pk__in=[prompt.pk for prompt in prompts]).update(is_held=False)
            if unfinished_invocation(session) is not None:
                return None
            queue_next_prompt(session)
            return unfinished_invocation(session)
    except IntegrityError as error:  # another prompt began at this moment
        raise SessionBusyError from error
