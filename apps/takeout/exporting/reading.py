"""The runs of a session with their recordings, some at a time: a session may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import events_by_invocation
from loom_events.fold import answer_text
from loom_events.recorded import RecordedEvent

RUNS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run (with session, agent, runtime and measurement loaded) and what is recorded of it."""

    invocation: Invocation
    events: list[RecordedEvent]

    @property
    def answer(self) -> str:
        """What the agent has answered so far."""
        run = self.invocation
        return answer_text(self.events) if run.is_unfinished else run.response_text


def with_everything(runs: QuerySet[Invocation]) -> QuerySet[Invocation]:
    """Runs with all that is told of them."""
    return runs.select_related("session__agent__runtime", "measurement")


def recorded(invocation: Invocation) -> RecordedRun:
    return RecordedRun(invocation, events_by_invocation([invocation.pk])[invocation.pk])


def runs_of(session: Session) -> Iterator[RecordedRun]:
    """The runs in their order; each batch is a reading of its own, and nothing stays open between two."""
    keys = list(session.invocations.order_by("number").values_list("pk", flat=True))
    for at in range(0, len(keys), RUNS_AT_ONCE):
        batch = with_everything(Invocation.objects.filter(pk__in=keys[at : at + RUNS_AT_ONCE])).order_by("number")
        runs = list(batch)
        events = events_by_invocation([run.pk for run in runs])
        for run in runs:
            yield RecordedRun(run, events.pop(run.pk))
