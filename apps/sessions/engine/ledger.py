"""The statements of every run, from its start over its batches to its end, built once: see `apps.core.prepared`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import F

from apps.agents.models import Agent
from apps.core.prepared import Insert, Select, SelectAmong, Update, slot
from apps.sessions.models import Invocation, QueuedPrompt, RecordingBatch, SearchDue, Session

insert_run = Insert(Invocation)
insert_batches = Insert(RecordingBatch).all
insert_search_due = Insert(SearchDue).all

update_run = Update(lambda: Invocation.objects.filter(pk=slot(Invocation, "pk")))
# Guarded: a process that was declared dead meanwhile writes nothing.
end_own_run = Update(
    lambda: Invocation.objects.filter(
        pk=slot(Invocation, "pk"), process_id=slot(Invocation, "process_id"), status__in=Invocation.UNFINISHED
    )
)
end_unheld_run = Update(
    lambda: Invocation.objects.filter(pk=slot(Invocation, "pk"), process=None, status__in=Invocation.UNFINISHED)
)
# A session that was deleted begins no run.
update_session = Update(lambda: Session.objects.filter(pk=slot(Session, "pk"), deleted_at=None))
count_run_of_agent = Update(
    lambda: Agent.objects.filter(pk=slot(Agent, "pk")), invocation_count=F("invocation_count") + 1
)

loaded_run = Select(
    lambda: Invocation.objects.filter(pk=slot(Invocation, "pk")).select_related("session__agent__runtime")
)
# Locked: between this and the commit nobody declares the process dead and ends its runs.
lock_own_running = SelectAmong(
    Invocation,
    lambda keys: (
        Invocation.objects.filter(pk__in=keys, process_id=slot(Invocation, "process_id"), status__in=Invocation.RUNNING)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    ),
)
sessions_of_runs = SelectAmong(
    Invocation, lambda keys: Session.objects.filter(invocations__id__in=keys).only("public_id")
)
lock_prompts_ahead = Select(
    lambda: QueuedPrompt.objects.filter(session_id=slot(Session, "pk")).order_by("position").select_for_update()[:1]
)
stop_requests = Select(
    lambda: (
        Invocation.objects.filter(
            process_id=slot(Invocation, "process_id"), stop_requested_at__isnull=False, status__in=Invocation.RUNNING
        )
        .order_by()
        .values_list("pk", flat=True)
    )
)
_numbers = Select(
    lambda: (
        Invocation.objects.filter(session_id=slot(Session, "pk"))
        .order_by("-number")
        .values_list("number", flat=True)[:1]
    )
)

_inserts: dict[Any, Insert[Any]] = {}


def next_number(session_id: int) -> int:
    """The number of the next run of a session, whose row the caller has locked."""
    return next(iter(_numbers(pk=session_id)), 0) + 1


def store_handed_over(told: Iterable[tuple[Any, Any]]) -> None:
    """Store the rows that receivers of `invocation_completed` returned, but for those that are there already."""
    for _, row in told:
        if row is not None:
            model = type(row)
            if model not in _inserts:
                _inserts[model] = Insert(model)
            _inserts[model].all([row], ignore_conflicts=True)
