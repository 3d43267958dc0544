"""The transactions of the recorder: claim a run, add to its recording, end it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Max
from django.utils import timezone

from apps.core.notices.notices import notify
from apps.sessions.engine import ledger
from apps.sessions.engine.cost import cost_columns
from apps.sessions.engine.host import host_of
from apps.sessions.engine.turns import writing
from apps.sessions.models import Invocation, QueuedPrompt, Recording, RecordingBatch, SearchDue, Session
from apps.sessions.selectors import events_after
from apps.sessions.signals import invocation_completed, runs_queued
from loom_events.fold import answer_text
from loom_events.recorded import RecordedEvent
from loom_events.storable import storable_text

logger = logging.getLogger(__name__)

# What passes by itself, as opposed to a value that the database will never take.
PASSING = (OperationalError, InterfaceError)
_LENGTHS = {column.name: column.max_length for column in Invocation._meta.concrete_fields}
NOT_STORED = "not_stored"


@dataclass(frozen=True, slots=True)
class Pending:
    """What one stream has to write now: new events and changed columns.

    `is_unsure` when a write of this stream failed before: some of the events may be stored already.
    """

    invocation_id: int
    events: list[RecordedEvent]
    fields: dict[str, Any] = field(default_factory=dict)
    is_unsure: bool = False

    def after(self, sequence: int) -> Pending:
        """The same without the events up to this number."""
        return replace(self, events=[event for event in self.events if event["seq"] > sequence])


def claim_invocation(process_id: UUID, invocation_id: int) -> bool:
    """Take a pending run to this process; False where another process, or this one, has taken it before."""
    unclaimed = Invocation.objects.filter(pk=invocation_id, status=Invocation.Status.PENDING, claimed_at=None)
    return bool(unclaimed.update(claimed_at=timezone.now(), process_id=process_id))


def begin_invocation(process_id: UUID, invocation_id: int) -> bool:
    """Say that a run of this process, taken out of the queue, is sent next; False where it is not its own any more.

    Until this is committed the run provably was not sent, and whoever finds its process dead may queue it again.
    """
    with transaction.atomic():
        mine = Invocation.objects.filter(pk=invocation_id, process_id=process_id, status=Invocation.Status.PENDING)
        if not mine.update(status=Invocation.Status.STREAMING):
            return False
        session = Session.objects.only("public_id").get(invocations=invocation_id)
        notify(session.topic, f"changed:{invocation_id}")
    return True


def move_runs(process_id: UUID, new_process_id: UUID) -> None:
    """Hand what still runs in one process of the registry to another."""
    running = Invocation.objects.filter(process_id=process_id, status__in=Invocation.RUNNING)
    running.update(process_id=new_process_id)


def lost_runs(process_id: UUID, invocation_ids: list[int]) -> set[int]:
    """Which of these runs are not this process's any more: over, in the queue again, or taken up by another."""
    own = Invocation.objects.filter(pk__in=invocation_ids, process_id=process_id, status__in=Invocation.RUNNING)
    return set(invocation_ids) - set(own.values_list("pk", flat=True))


def write_batches(process_id: UUID, pending: list[Pending]) -> set[int]:
    """Store the events and columns of running invocations of this process, in one transaction.

    Return the ids of those that are no longer its own.
    """
    ids = {item.invocation_id for item in pending}
    with writing():
        own = set(ledger.lock_own_running(ids, process_id=process_id))
        kept = _unstored([item for item in pending if item.invocation_id in own])
        ledger.insert_batches(batch for item in kept for batch in _batches(item))
        for item in kept:
            if item.fields:
                ledger.update_run(_fitting(item.fields), pk=item.invocation_id)
        begun = [item.invocation_id for item in kept if "first_chunk_at" in item.fields]
        for session in ledger.sessions_of_runs(begun) if begun else ():
            notify(session.topic, "measurement")  # the time to first token is known, long before the end
    return ids - own


def finish_invocation(
    process_id: UUID | None,
    rest: Pending,
    *,
    status: str,
    completed_at: datetime,
    invocation: Invocation | None = None,
    is_announced: bool = True,
) -> bool:
    """End a run in one transaction: its last events, its status and whatever listens to `invocation_completed`.

    `invocation` is the run as it will be stored, where the caller has it with its session and agent; else it is read.
    With `is_announced` False nothing listens: the sweep then makes the measurement that is missing.
    Returns False, and writes nothing, when the run is over already or belongs to another process. A run that waits for
    a person is not over: its process lets go of it.
    """
    if status == Invocation.Status.WAITING:
        return _suspend_invocation(process_id, rest)
    with writing():
        ending = {**_fitting(rest.fields), "status": status, "completed_at": completed_at}
        if invocation is not None:
            ending |= cost_columns(invocation)
        if process_id is None:
            is_ended = ledger.end_unheld_run(ending, pk=rest.invocation_id)
        else:
            is_ended = ledger.end_own_run(ending, pk=rest.invocation_id, process_id=process_id)
        if not is_ended:
            return False
        ledger.insert_batches(batch for item in _unstored([rest]) for batch in _batches(item))
        if invocation is None:
            [invocation] = ledger.loaded_run(pk=rest.invocation_id)
            ledger.update_run(cost_columns(invocation), pk=invocation.pk)
        session = invocation.session
        ledger.count_run_of_agent({"last_invoked_at": invocation.requested_at}, pk=session.agent_id)
        ledger.insert_search_due([SearchDue(invocation_id=invocation.pk, due_at=completed_at)], ignore_conflicts=True)
        if is_announced:
            ledger.store_handed_over(invocation_completed.send(sender=Invocation, invocation=invocation))
        notify(session.topic, f"finished:{invocation.pk}")
        if is_announced and status == Invocation.Status.STOPPED:
            hold_prompts(session)
        elif is_announced:
            queue_next_prompt(session)
    return True


def _suspend_invocation(process_id: UUID | None, rest: Pending) -> bool:
    with transaction.atomic():
        rows = Invocation.objects.filter(pk=rest.invocation_id, status__in=Invocation.RUNNING, process=process_id)
        waiting = {"status": Invocation.Status.WAITING, "process": None, "claimed_at": None}
        if not rows.update(**{**_fitting(rest.fields), **waiting}):
            return False
        ledger.insert_batches(batch for item in _unstored([rest]) for batch in _batches(item))
        session = Session.objects.only("public_id").get(invocations=rest.invocation_id)
        notify(session.topic, f"changed:{rest.invocation_id}")
    return True


def queue_next_prompt(session: Session) -> None:
    """Make the next typed-ahead prompt of a session that got free, if it has one, a queued run; in a transaction.

    One that is held waits for a person.
    """
    ahead = next(iter(ledger.lock_prompts_ahead(pk=session.pk)), None)
    if ahead is None or ahead.is_held:
        return
    if ahead.request_key and session.invocations.filter(request_key=ahead.request_key).exists():
        ahead.delete()  # it was sent by another way meanwhile
        queue_next_prompt(session)
        return
    now = timezone.now()
    agent = session.agent
    if not ledger.update_session({"last_invoked_at": now}, pk=session.pk):
        return  # it was deleted: what waits there goes with it, or comes back with it
    run = Invocation(
        session_id=session.pk,
        number=ledger.next_number(session.pk),
        status=Invocation.Status.QUEUED,
        prompt=ahead.text,
        payload=host_of(agent.kind).payload(session, ahead.text) if ahead.payload is None else ahead.payload,
        version=host_of(agent.kind).version(agent, session.qualifier),
        request_key=ahead.request_key,
        kind=agent.kind,
        source=ahead.source,
        repeated_from_id=ahead.repeated_from_id,
        requested_at=now,
        queued_at=now,
    )
    ledger.insert_run(run)
    ahead.delete()
    notify(session.topic, f"started:{run.pk}")
    transaction.on_commit(lambda: runs_queued.send(sender=Invocation), robust=True)


def hold_prompts(session: Session) -> None:
    """Let what was typed ahead wait for a person, as who stops an answer may want none of it; in a transaction."""
    if any(True for _ in ledger.lock_prompts_ahead(pk=session.pk)):
        QueuedPrompt.objects.filter(session=session).update(is_held=True)


def finish_whatever_listens(
    process_id: UUID | None, rest: Pending, *, status: str, completed_at: datetime, invocation: Invocation | None = None
) -> bool:
    """`finish_invocation`; when what listens fails, without it: a defect there must not keep the session busy."""
    end = partial(finish_invocation, process_id, rest, status=status, completed_at=completed_at, invocation=invocation)
    try:
        return end()
    except PASSING:
        raise
    except Exception:
        logger.exception("end of run refused id=%s", rest.invocation_id)
        return end(is_announced=False)


def finish_incomplete(
    process_id: UUID,
    invocation_id: int,
    event_count: int,
    fields: dict[str, Any],
    *,
    status: str,
    completed_at: datetime,
) -> bool:
    """End a run of `event_count` events with what of them is stored already, and say in the row what is missing.

    A run that was completed is failed by that. Where even its columns do not fit, only how it ended is written.
    """
    stored = events_after(invocation_id)
    lost = event_count - len(stored)
    told = f"{fields['error_message']} " if fields.get("error_message") else ""
    ending: dict[str, Any] = {
        "last_sequence": len(stored),
        "lost_event_count": lost,
        "error_code": NOT_STORED,
        "error_message": f"{told}The database could not hold the end of this answer: the last {lost:,} of its "
        f"{event_count:,} events are missing. What was stored before them is kept.",
        "error_advice": "Make room in the database, then send the prompt again if you need the whole answer.",
    }
    if status == Invocation.Status.COMPLETED:
        status = Invocation.Status.FAILED
    full = {**fields, **ending, "response_text": answer_text(stored)}
    for attempt in (full, ending):
        try:
            rest = Pending(invocation_id, [], attempt)
            return finish_invocation(process_id, rest, status=status, completed_at=completed_at, is_announced=False)
        except DatabaseError as error:
            failure = error
    raise failure


def stop_requests(process_id: UUID) -> set[int]:
    """The running invocations of this process that someone, in whichever process, asked to stop."""
    return set(ledger.stop_requests(process_id=process_id))


def _fitting(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as their columns can hold them.

    Agents and AWS choose the texts, and PostgreSQL, unlike SQLite, refuses some characters and whatever is longer than
    its column. A row that cannot be written would leave its run without an end.
    """
    return {
        name: storable_text(value)[: _LENGTHS[name]] if isinstance(value, str) else value
        for name, value in fields.items()
    }


def _unstored(pending: list[Pending]) -> list[Pending]:
    """What is left to store where an earlier write may have been stored although it failed."""
    unsure = [item.invocation_id for item in pending if item.is_unsure]
    if not unsure:
        return pending
    batches = RecordingBatch.objects.filter(invocation_id__in=unsure).order_by().values_list("invocation_id")
    highest = dict(batches.annotate(Max("last_sequence")))
    return [item.after(highest.get(item.invocation_id, 0)) if item.is_unsure else item for item in pending]


def _batches(pending: Pending) -> Iterator[RecordingBatch]:
    """The new events as rows: one, unless the database was away for long."""
    for at in range(0, len(pending.events), Recording.PART_EVENTS):
        part = pending.events[at : at + Recording.PART_EVENTS]
        yield RecordingBatch(
            invocation_id=pending.invocation_id,
            first_sequence=part[0]["seq"],
            last_sequence=part[-1]["seq"],
            events=part,
        )
