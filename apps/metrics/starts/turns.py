"""When the runs of some sessions were sent and ended: what may be theirs among the lines of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from apps.metrics.models import Measurement
from apps.metrics.starts.search import Window
from apps.sessions.models import Invocation


@dataclass(frozen=True, slots=True)
class _Turn:
    number: int
    window: Window
    has_reached_agent: bool


@dataclass(frozen=True, slots=True)
class Turns:
    """The windows of the runs that were sent, by session and in their order."""

    by_session: dict[int, list[_Turn]]

    def window(self, measurement: Measurement) -> Window:
        """The window of a measurement's run."""
        run = measurement.invocation
        return next(turn.window for turn in self.by_session[run.session_id] if turn.number == run.number)

    def near(self, measurement: Measurement, margin: timedelta) -> tuple[list[Window], int]:
        """The windows of the session's runs that an agent was asked for within `margin` of a measurement's run, and the
        place of that run among them.
        """
        run, own = measurement.invocation, self.window(measurement)
        near = [
            turn
            for turn in self.by_session[run.session_id]
            if turn.number == run.number
            or (
                turn.has_reached_agent
                and own.invoked_at - margin <= turn.window.invoked_at <= own.completed_at + margin
            )
        ]
        return [turn.window for turn in near], [turn.number for turn in near].index(run.number)


def turns_of(measurements: Sequence[Measurement]) -> Turns:
    """The turns of all sessions that the measured runs, which are over, belong to; one query for all of them."""
    sessions = {measurement.invocation.session_id for measurement in measurements}
    sent = Invocation.objects.filter(session_id__in=sessions, invoked_at__isnull=False).order_by("number")
    rows: dict[int, list[Invocation]] = {}
    for run in sent.only(
        "session_id", "number", "invoked_at", "first_chunk_at", "completed_at", "http_status", "is_unsent"
    ):
        rows.setdefault(run.session_id, []).append(run)
    return Turns({session_id: _turns(runs) for session_id, runs in rows.items()})


def _turns(runs: Sequence[Invocation]) -> list[_Turn]:
    ends: list[datetime | None] = [None, *(run.completed_at for run in runs)]
    turns = []
    for previous_end, (run, following) in zip(ends, pairwise([*runs, None]), strict=False):
        assert run is not None and run.invoked_at is not None
        window = Window(
            invoked_at=run.invoked_at,
            first_byte_at=run.first_chunk_at,
            # Only the newest may be unfinished, and nothing is looked for of it.
            completed_at=run.completed_at or run.invoked_at,
            previous_completed_at=previous_end,
            next_invoked_at=following.invoked_at if following else None,
        )
        turns.append(_Turn(run.number, window, run.has_reached_agent))
    return turns
