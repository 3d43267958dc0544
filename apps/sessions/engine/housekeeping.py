"""What is put right after the fact: runs of dead processes, finished recordings, content past its time.

Every function is idempotent and safe to run in several processes at once; the worker's ticker and every starting web
process call them.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from apps.core.notices.notices import notify
from apps.core.running.processes import gone_process_ids, silent_process_ids
from apps.sessions.engine.host import host_of
from apps.sessions.engine.recording import Pending, finish_whatever_listens
from apps.sessions.indexing import mark_sessions_due, remove_texts
from apps.sessions.models import Invocation, QueuedPrompt, Recording, RecordingBatch, Session
from apps.sessions.selectors import events_after
from apps.sessions.signals import runs_queued
from loom_events.fold import answer_text, token_counts, unread_count

logger = logging.getLogger(__name__)

COMPACT_AT_ONCE = 200
TAKEN_UP_AT_MOST = 3
REMOVE_AT_ONCE = 500


def take_care_of_orphans(now: datetime, *, is_steady: bool = True) -> int:
    """Queue again or end the runs whose process is gone; return how many.

    Who is not `is_steady` cannot conclude from silence: it takes care only of the runs of those whose pid is gone.
    Queued again is what provably was not sent, and what a host can answer once more, up to `TAKEN_UP_AT_MOST` times.
    The rest ends as `interrupted`, with what had arrived.
    """
    lost = Q(process_id__in=gone_process_ids(now))
    if is_steady:
        lost |= Q(process_id__in=silent_process_ids(now))
        lost |= Q(process=None, requested_at__lt=now - timedelta(seconds=10))
    orphans = Invocation.objects.filter(lost, status__in=Invocation.RUNNING)
    found = [(run, _queue_again(run)) for run in orphans.select_related("session__agent")]
    ended = sum(_interrupt(run, now) for run, is_queued in found if not is_queued)
    queued = sum(is_queued for _, is_queued in found)
    if ended:
        logger.warning("interrupted runs of dead processes count=%d", ended)
    if queued:
        logger.warning("queued runs of dead processes again count=%d", queued)
        runs_queued.send(sender=Invocation)
    return ended + queued


def _queue_again(run: Invocation) -> bool:
    if run.queued_at is None:
        return False
    statuses = [Invocation.Status.PENDING]
    if host_of(run.session.agent.kind).on_death == "requeue" and (run.attempt or 0) < TAKEN_UP_AT_MOST:
        statuses.append(Invocation.Status.STREAMING)
    rows = Invocation.objects.filter(pk=run.pk, process=run.process_id, status__in=statuses)
    with transaction.atomic():
        is_queued = bool(rows.update(status=Invocation.Status.QUEUED, process=None, claimed_at=None))
        if is_queued:
            notify(run.session.topic, f"changed:{run.pk}")
    return is_queued


def _interrupt(run: Invocation, now: datetime) -> bool:
    events = events_after(run.pk)
    input_tokens, output_tokens = token_counts(events)
    last_at = now
    if events and run.invoked_at:
        last_at = run.invoked_at + timedelta(milliseconds=events[-1]["offset_ms"])
    fields = {
        "response_text": answer_text(events),
        "last_sequence": len(events),
        "input_token_count": input_tokens,
        "output_token_count": output_tokens,
        "unread_event_count": unread_count(events),
        "is_unsent": run.claimed_at is None,
        "error_code": "interrupted",
        "error_message": "The Loom process that streamed this answer ended. What had arrived until then is kept.",
        "error_advice": host_of(run.session.agent.kind).interrupted_advice,
    }
    rest = Pending(run.pk, [], fields)
    return finish_whatever_listens(run.process_id, rest, status=Invocation.Status.INTERRUPTED, completed_at=last_at)


def compact_recordings(now: datetime) -> int:
    """Put the batches of finished invocations into few large rows; return how many invocations were done."""
    batches = RecordingBatch.objects.filter(invocation=OuterRef("pk"))
    finished = Invocation.objects.filter(
        Exists(batches), status__in=Invocation.FINISHED, completed_at__lt=now - timedelta(seconds=30)
    )
    done = 0
    for pk in finished.values_list("pk", flat=True)[:COMPACT_AT_ONCE]:
        with transaction.atomic():
            rows = list(RecordingBatch.objects.select_for_update().filter(invocation_id=pk))
            events = [event for row in rows for event in row.events]
            if not Recording.objects.filter(invocation_id=pk).exists():
                parts = [events[at : at + Recording.PART_EVENTS] for at in range(0, len(events), Recording.PART_EVENTS)]
                Recording.objects.bulk_create(
                    Recording(invocation_id=pk, first_sequence=part[0]["seq"], events=part) for part in parts
                )
            RecordingBatch.objects.filter(pk__in=[row.pk for row in rows]).delete()
        done += 1
    return done


def remove_expired_content(now: datetime) -> int:
    """Delete prompts, answers and recordings older than CONTENT_RETENTION_DAYS; figures stay.

    Return how many runs were cleared.
    """
    days = settings.CONTENT_RETENTION_DAYS
    if days is None:
        return 0
    expired = Invocation.objects.filter(
        status__in=Invocation.FINISHED, content_removed_at=None, completed_at__lte=now - timedelta(days=days)
    )
    ids = list(expired.values_list("pk", flat=True)[:REMOVE_AT_ONCE])
    with transaction.atomic():
        RecordingBatch.objects.filter(invocation_id__in=ids).delete()
        Recording.objects.filter(invocation_id__in=ids).delete()
        Invocation.objects.filter(pk__in=ids).update(
            prompt="", payload="", response_text="", error_message="", content_removed_at=now
        )
        sessions = {row.session for row in Invocation.objects.filter(pk__in=ids).select_related("session")}
        for session in sessions:
            session.title = ""
            session.save(update_fields=["title"])
        remove_texts(ids)
        mark_sessions_due([session.pk for session in sessions])  # their title was among the words of other runs
    # A title is a prompt's first line, also where the prompt itself never became a run.
    silent = Session.objects.filter(created_at__lte=now - timedelta(days=days), invocations=None, queued_prompts=None)
    silent.exclude(title="").update(title="")
    if days:  # with none, what was typed ahead still waits for its turn
        QueuedPrompt.objects.filter(created_at__lte=now - timedelta(days=days)).delete()
    return len(ids)
