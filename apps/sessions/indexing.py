"""What of a run can be found by its words: written by the worker soon after its end, and removed with it.

What changes a text stores a `SearchDue` in its own transaction. The runs from before are taken one batch after the
other, the newest first, while the worker has nothing else to index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.utils import timezone

from apps.core.search import create_index, drop_index, folded, has_index, index_bytes
from apps.sessions.models import Invocation, SearchDue, SearchProgress, SearchText
from apps.sessions.selectors import events_by_invocation

# A batch is one transaction, which keeps SQLite from everybody else: about 50 ms of these.
RUNS_AT_ONCE = 100
CHARACTERS_AT_ONCE = 150_000
TEXT_LENGTH = 65_536  # of each prompt and answer; longer ones are found by their beginning
BATCHES_AT_ONCE = 4
MISSING_OF = timedelta(hours=2)
COUNTED_TO = 10_000
MEASURED_EVERY = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class IndexState:
    """What of the runs cannot be found yet. `waiting` counts to `COUNTED_TO`; `below` is the key below which runs from
    before are not indexed, 0 where all are; `size` is what was measured last, in bytes.
    """

    has_index: bool
    waiting: int
    below: int
    size: int | None


def mark_due(runs: QuerySet[Invocation]) -> None:
    """Have the texts of these runs written anew; in the transaction that changes what is in them."""
    now = timezone.now()
    due = (SearchDue(invocation_id=pk, due_at=now) for pk in runs.order_by().values_list("pk", flat=True))
    # Written even where it is there: so this waits for the worker that is just reading the old text, or it for this.
    SearchDue.objects.bulk_create(due, update_conflicts=True, unique_fields=["invocation"], update_fields=["due_at"])


def mark_sessions_due(session_ids: Collection[int]) -> None:
    """The same for all runs of some sessions that are over, whose title is among their words."""
    mark_due(Invocation.objects.filter(session__in=session_ids, status__in=Invocation.FINISHED))


def remove_texts(invocation_ids: Collection[int]) -> None:
    """Take the texts of some runs out of the index at once; in the transaction that removes what they were made of."""
    SearchText.objects.filter(invocation_id__in=invocation_ids).delete()


def index_due() -> int:
    """Write what is due, the newest first; return how many runs were done, 0 where nothing is due."""
    with transaction.atomic():
        # Locked, so that who changes a text meanwhile waits and makes it due again.
        due = SearchDue.objects.order_by("-pk").select_for_update().values_list("pk", flat=True)
        keys = list(due[:RUNS_AT_ONCE])
        done = _write(Invocation.objects.filter(pk__in=keys)) if keys else []
        # A run that answers again, or is not there any more, is nothing to wait for.
        SearchDue.objects.filter(pk__in=done or keys).delete()
    return len(done or keys)


def index_older(runs_at_once: int = RUNS_AT_ONCE) -> int:
    """Write the next texts of the runs from before the index; return how many, 0 where all are there."""
    with transaction.atomic():
        progress = _progress()
        if not progress.below:
            return 0
        runs = Invocation.objects.filter(pk__lt=progress.below, status__in=Invocation.FINISHED)
        done = _write(runs, runs_at_once)
        progress.below = min(done, default=0)
        progress.save(update_fields=["below"])
    return len(done)


def _progress() -> SearchProgress:
    """The row, made where there is none: then everything that is there is from before."""
    row = SearchProgress.objects.select_for_update().first()
    if row is None:
        newest = Invocation.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        row = SearchProgress.objects.create(pk=1, below=newest + 1 if newest else 0)
    return row


def restart(*, from_scratch: bool) -> None:
    """Begin with the newest run again; `from_scratch` throws away what is there, the index too."""
    with transaction.atomic():
        progress = _progress()
        newest = Invocation.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        progress.below = newest + 1
        progress.save(update_fields=["below"])
        if from_scratch:
            drop_index(SearchText)
            SearchText.objects.all().delete()
    create_index(SearchText)


def index_texts() -> int:
    """A tick of the worker: what is due; where that is little, some of the runs from before. Return how many."""
    done = 0
    for _ in range(BATCHES_AT_ONCE):
        count = index_due()
        done += count
        if count < RUNS_AT_ONCE:
            return done + index_older()
    return done


def mark_missing(now: datetime) -> int:
    """Have indexed what a process of another release ended without saying that it is due; return how many runs."""
    ended = Invocation.objects.filter(
        completed_at__gt=now - MISSING_OF, status__in=Invocation.FINISHED, content_removed_at=None,
        search_text=None, search_due=None,
    )  # fmt: skip
    keys = list(ended.order_by().values_list("pk", flat=True)[:COUNTED_TO])
    with transaction.atomic():
        mark_due(Invocation.objects.filter(pk__in=keys))
    return len(keys)


def measure_index(now: datetime) -> int | None:
    """Write down how much room the index takes, where that was long ago."""
    row = SearchProgress.objects.first()
    if row is None or (row.measured_at is not None and row.measured_at > now - MEASURED_EVERY):
        return None
    size = index_bytes(SearchText)
    SearchProgress.objects.filter(pk=row.pk).update(index_bytes=size, measured_at=now)
    return size


def index_state() -> IndexState:
    """What cannot be found yet, and how large the index is."""
    row = SearchProgress.objects.first()
    waiting = SearchDue.objects.all()[:COUNTED_TO].count()
    below = 0 if row is None else row.below
    return IndexState(has_index(SearchText), waiting, below, None if row is None else row.index_bytes)


def _write(runs: QuerySet[Invocation], runs_at_once: int = RUNS_AT_ONCE) -> list[int]:
    """Write the texts of the newest of `runs`, as many as are done at once; return their keys."""
    taken = list(_read(runs.filter(status__in=Invocation.FINISHED).order_by("-pk")[:runs_at_once]))
    tools = _tool_names([run.pk for run in taken])
    SearchText.objects.bulk_create(
        (
            SearchText(invocation_id=run.pk, text=_text(run, tools[run.pk]))
            for run in taken
            if run.content_removed_at is None
        ),
        update_conflicts=True,
        unique_fields=["invocation"],
        update_fields=["text"],
    )
    remove_texts([run.pk for run in taken if run.content_removed_at is not None])
    return [run.pk for run in taken]


def _read(runs: QuerySet[Invocation]) -> Iterator[Any]:
    """The runs, of long texts the beginning, until what they say is enough for one batch."""
    characters = 0
    columns = ("prompt", "error_code", "error_message", "agent_error_type", "content_removed_at", "session__title")
    answer = Left("response_text", TEXT_LENGTH)
    for run in runs.select_related("session").only(*columns).annotate(answer=answer).iterator(10):
        yield run
        characters += len(run.answer) + len(run.prompt)
        if characters > CHARACTERS_AT_ONCE:
            return


def _text(run: Any, tools: Iterable[str]) -> str:
    parts = (
        run.prompt[:TEXT_LENGTH],
        run.answer,
        *tools,
        run.error_code,
        run.agent_error_type or "",
        run.error_message[:TEXT_LENGTH],
        run.session.title,
    )
    return folded("\n".join(part for part in parts if part))


def _tool_names(invocation_ids: list[int]) -> dict[int, dict[str, None]]:
    """The names of the tools that each run used, each once."""
    return {
        pk: {str(event["name"]): None for event in events if event["kind"] == "tool"}
        for pk, events in events_by_invocation(invocation_ids).items()
    }
