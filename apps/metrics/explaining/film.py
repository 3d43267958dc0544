"""A recording as what a page shows of it, moment by moment: a replay is these changes and a clock.

The same renderer makes them that makes a live answer, so a replay looks like the answer did while it came.
"""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from typing import Any

from django.utils.translation import get_language

from apps.sessions.models import Invocation
from apps.sessions.viewing.rendering import AnswerRenderer
from apps.sessions.viewing.steps import Step
from apps.sessions.viewing.turns import answer_url_of
from loom_events.fold import is_answer
from loom_events.recorded import RecordedEvent

MOST_MOMENTS = 20_000
LARGEST_TEXT = 2_000_000  # characters
KEPT_BYTES = 16 * 1024 * 1024  # of films, compressed to a tenth, in each process
COARSE_MS = 10.0
"""What is larger than either is told in steps of this length, doubled until there are few enough."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What arrived at one time, or within one step."""

    at_ms: float
    events: list[RecordedEvent]


def lasted_ms(invocation: Invocation, events: Sequence[RecordedEvent]) -> float:
    """How long a run took from when its prompt was sent, by its own clock as far as that goes."""
    last = events[-1]["offset_ms"] if events else 0.0
    return max(last, invocation.total_latency_ms or 0.0)


def film_of(invocation: Invocation, events: Sequence[RecordedEvent]) -> dict[str, Any]:
    """All that a page needs to play a run: see `static/js/film.js`. `step_ms` is 0 where nothing was merged."""
    moments, step_ms = moments_of(events)
    filming = _Filming(invocation)
    frames = [frame for moment in moments if (frame := filming.take(moment))]
    end_ms = lasted_ms(invocation, events)
    if not invocation.is_unfinished and (last := filming.close(end_ms)):
        frames.append(last)
    return {"duration_ms": end_ms, "step_ms": step_ms, "event_count": len(events), "frames": frames}


def told_film(invocation: Invocation, events: Callable[[], Sequence[RecordedEvent]]) -> bytes:
    """A run's film as JSON. That of a run that is over is made once, one at a time, and kept while there is room.

    Whoever asks has to be allowed to see the run: what is kept is the same for everybody.
    """
    if invocation.is_unfinished:
        return _told(film_of(invocation, events()))
    run = (invocation.session.public_id, invocation.status, invocation.last_sequence, invocation.content_removed_at)
    version = (*run, get_language())
    if (kept := _films.get(invocation.pk, version)) is not None:
        return kept
    with _making:  # many who ask at once, for one film or for several, cost no more than one
        if (kept := _films.get(invocation.pk, version)) is not None:
            return kept
        told = _told(film_of(invocation, events()))
        _films.keep(invocation.pk, version, told)
    return told


def _told(film: dict[str, Any]) -> bytes:
    return json.dumps(film, separators=(",", ":")).encode()


class KeptFilms:
    """The films that were asked for last, compressed, as many as there is room for; one for each run."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._films: OrderedDict[int, tuple[Hashable, bytes]] = OrderedDict()
        self._lock = Lock()
        self.byte_count = 0

    def get(self, key: int, version: Hashable) -> bytes | None:
        with self._lock:
            found = self._films.get(key)
            if found is None or found[0] != version:
                return None
            self._films.move_to_end(key)
        return zlib.decompress(found[1])

    def keep(self, key: int, version: Hashable, told: bytes) -> None:
        """One that is larger than all of the room is not kept."""
        packed = zlib.compress(told, 1)
        with self._lock:
            if key in self._films:
                self.byte_count -= len(self._films.pop(key)[1])
            if len(packed) > self._most_bytes:
                return
            self._films[key] = (version, packed)
            self.byte_count += len(packed)
            while self.byte_count > self._most_bytes:
                self.byte_count -= len(self._films.popitem(last=False)[1][1])


_films = KeptFilms(KEPT_BYTES)
_making = Lock()


def moments_of(events: Sequence[RecordedEvent]) -> tuple[list[Moment], float]:
    """The events by when they arrived, and the step in which a large recording is told."""
    size = sum(len(event["text"]) for event in events if event["kind"] in ("text", "reasoning"))
    moments = list(_by_step(events, 0.0))
    step_ms = 0.0
    while len(moments) > MOST_MOMENTS or (size > LARGEST_TEXT and not step_ms):
        step_ms = step_ms * 2 or COARSE_MS
        moments = list(_by_step(events, step_ms))
    return moments, step_ms


def _by_step(events: Sequence[RecordedEvent], step_ms: float) -> Iterator[Moment]:
    """A step's events are shown when the last of them is there, so that nothing is seen before it came."""

    def step_of(event: RecordedEvent) -> float:
        return event["offset_ms"] // step_ms if step_ms else event["offset_ms"]

    for _step, group in groupby(events, key=step_of):
        together = list(group)
        yield Moment(max(event["offset_ms"] for event in together), together)


class _Filming:
    """Renders a run moment by moment and writes down what each changes."""

    def __init__(self, invocation: Invocation) -> None:
        self._renderer = AnswerRenderer(invocation.pk, answer_url_of(invocation))
        self._part_count = 0
        self._tail = ""
        self._steps: dict[int, tuple[Step, str]] = {}

    def take(self, moment: Moment) -> dict[str, Any] | None:
        """The frame of a moment; None where nothing is seen of it."""
        renderer, events = self._renderer, moment.events
        before = renderer.position
        if renderer.extend(events) is not None:
            return self._frame(moment.at_ms, [])
        renderer.feed(events)
        is_speech = all(event["kind"] == "text" and is_answer(event) for event in events)
        steps = list(self._steps.values())[-1:] if is_speech else list(self._steps.values())
        return self._frame(moment.at_ms, [step for step, _html in steps if step.changed_at > before])

    def close(self, at_ms: float) -> dict[str, Any] | None:
        """The frame of the end."""
        self._renderer.close()
        return self._frame(at_ms, [step for step, _html in self._steps.values()])

    def _frame(self, at_ms: float, changed: Sequence[Step]) -> dict[str, Any] | None:
        frame: dict[str, Any] = {}
        if steps := [[step.number, *edit] for step in changed if (edit := self._step_edit(step))]:
            frame["steps"] = steps
        if closed := [self._part(part) for part in self._renderer.parts[self._part_count :]]:
            frame["closed"] = closed
            self._part_count = len(self._renderer.parts)
        if edit := edit_of(self._tail, tail := self._renderer.tail):
            frame["tail"] = edit
            self._tail = tail
        return {"at": round(at_ms, 3), **frame} if frame else None

    def _part(self, part: str | Step) -> str | list[Any]:
        """A closed piece: its HTML, and of a step also its number, as it may change yet."""
        if isinstance(part, str):
            return part
        html = part.html()
        self._steps[part.number] = (part, html)
        return [part.number, html]

    def _step_edit(self, step: Step) -> list[Any] | None:
        before, html = self._steps[step.number][1], step.html()
        self._steps[step.number] = (step, html)
        return edit_of(before, html)


def edit_of(before: str, after: str) -> list[Any] | None:
    """How much of the beginning stays, what comes behind it, and how much of the end stays; None where all does.

    In units of UTF-16, as scripts count. What a run thought of may be long and grows with every token: sent as a whole
    each time, it would be the square of it.
    """
    if before == after:
        return None
    head = _common(before, after)
    old, new = before[head:], after[head:]
    foot = _common(old[::-1], new[::-1])
    return [_units(before[:head]), new[: len(new) - foot], _units(old[len(old) - foot :])]


def _common(first: str, second: str) -> int:
    """How long a beginning they share."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first.startswith(second[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
