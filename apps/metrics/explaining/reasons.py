"""Why a run was slow, in one sentence; nothing where what is known does not carry one. Pure.

One cause is named where it took at least half of the time: of the time to the first token what lies before it (queue,
earlier attempts, environment, agent), of the whole time what lies after it (a tool, stalls, the answer itself). All of
it is told by this machine's own clock but the environment: when the agent began is told by a log, in another clock, so
that has to be borne out by a second witness. Either the runs before were warm and their first token came earlier by as
much, or other runs of the environment have narrowed the interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from string import Formatter
from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.templatetags.loom import duration
from apps.metrics.explaining.gaps import Gap, duration_of
from apps.metrics.explaining.spans import Span, Stall
from apps.metrics.figures.statistics import summarise

Cause = Literal["queue", "attempts", "environment", "agent", "tool", "stalls", "answer"]

SLOW_MS = 1000.0  # nobody asks why a faster one was slow
SHARE = 0.5
# By how much the two witnesses of a start may differ.
AGREEMENT = 0.2
LEAST_WARM = 3
WEAK_RANK = 4


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A run before this one, of the same agent and endpoint."""

    pk: int
    is_cold: bool | None
    ttft_ms: float | None
    total_ms: float | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run; milliseconds since its beginning where they are places. The newest neighbour is first."""

    is_finished: bool
    wall_ms: float
    sent_ms: float | None
    ttft_ms: float | None
    gaps: Sequence[Gap]
    spans: Sequence[Span] = ()
    stalls: Sequence[Stall] = ()
    attempt_count: int = 1
    is_cold: bool | None = None
    startup_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    marker_rank: int | None = None
    is_provisional: bool = False
    neighbours: Sequence[Neighbour] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the sentence; a number has what it is known from: a row of the timeline, the log, or other runs."""

    text: str
    evidence: Literal["", "row", "log", "runs"] = ""
    row: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """The sentence in its parts, its cause, and the two figures that it gives."""

    cause: Cause
    parts: tuple[Part, ...]
    took_ms: float
    of_ms: float

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Candidate:
    cause: Cause
    took_ms: float
    of_ms: float
    words: str
    parts: dict[str, Part]

    @property
    def is_half(self) -> bool:
        return self.took_ms >= SHARE * self.of_ms and self.took_ms > 0


def reason_of(run: RunFacts) -> Reason | None:
    """Why a run took its time; None for one that goes on, a fast one, and where no single cause is certain."""
    person_ms = duration_of(run.gaps, "person")
    if not run.is_finished or run.wall_ms - person_ms < SLOW_MS:
        return None
    found = [candidate for candidate in _candidates(run, run.wall_ms - person_ms) if candidate.is_half]
    if not found:
        return None
    chosen = max(found, key=lambda candidate: (candidate.cause != "answer", candidate.took_ms))
    parts = [*_filled(chosen.words, chosen.parts), *_filled(*_beside(run, chosen.cause)), Part(".")]
    return Reason(chosen.cause, tuple(parts), chosen.took_ms, chosen.of_ms)


def _candidates(run: RunFacts, busy_ms: float) -> Iterable[_Candidate]:
    if run.ttft_ms is not None and run.sent_ms is not None:
        first_token_ms = run.sent_ms + run.ttft_ms
        if first_token_ms >= SLOW_MS:
            yield from _before_first_token(run, first_token_ms)
        yield from _after_first_token(run, busy_ms, busy_ms - first_token_ms)


def _before_first_token(run: RunFacts, first_token_ms: float) -> Iterable[_Candidate]:
    of = _row(duration(first_token_ms), "answering-first_token")
    queue_ms, attempts_ms = duration_of(run.gaps, "queue"), duration_of(run.gaps, "attempts")
    words = _("It waited {took} of {of} before its first token in the queue")
    yield _Candidate("queue", queue_ms, first_token_ms, words, _took(queue_ms, _row_of(run.gaps, "queue"), of))
    if run.attempt_count > 1:
        words = _("{took} of {of} before its first token went by until attempt {attempt} got through")
        parts = _took(attempts_ms, _row_of(run.gaps, "attempts"), of)
        parts["attempt"] = Part(str(run.attempt_count))
        yield _Candidate("attempts", attempts_ms, first_token_ms, words, parts)
    assert run.ttft_ms is not None
    startup_ms = _certain_startup(run)
    if startup_ms is not None:
        words = _("Cold: {took} of {of} before its first token was the environment")
        parts = _took(startup_ms, "startup-invoked", of, evidence="log")
        yield _Candidate("environment", startup_ms, first_token_ms, words, parts)
        agent_ms = run.ttft_ms - startup_ms
        words = _("Cold, but the agent took {took} of {of} from its start to its first token")
    elif run.is_cold is False:
        agent_ms = run.ttft_ms
        words = _("The environment was warm; the agent took {took} of {of} to its first token")
    else:
        return
    row = _row_of(run.gaps, "agent") or _row_of(run.gaps, "first_byte", "response", "first_token")
    yield _Candidate("agent", agent_ms, first_token_ms, words, _took(agent_ms, row, of))


def _after_first_token(run: RunFacts, busy_ms: float, after_ms: float) -> Iterable[_Candidate]:
    of = _row(duration(busy_ms), "total")
    tools = [
        (number, span)
        for number, span in enumerate(run.spans)
        if span.kind == "tool" and span.is_over and not span.depth
    ]
    for number, span in tools:
        words = _("The tool {name} took {took} of {of}")
        parts = {**_took(span.duration_ms, f"span-{number}", of), "name": Part(span.name)}
        yield _Candidate("tool", span.duration_ms, busy_ms, words, parts)
    still = [stall for stall in run.stalls if not stall.is_in_tool]
    stalls_ms = sum(stall.duration_ms for stall in still)
    words = ngettext(
        "For {took} of {of} nothing came, in {count} stall",
        "For {took} of {of} nothing came, in {count} stalls",
        len(still),
    )
    yield _Candidate(
        "stalls", stalls_ms, busy_ms, words, {**_took(stalls_ms, "stalls", of), "count": Part(str(len(still)))}
    )
    answer_ms = after_ms - stalls_ms - _together([span for _number, span in tools])
    words = _("The answer itself took {took} of {of}")
    yield _Candidate("answer", answer_ms, busy_ms, words, _took(answer_ms, "answering-first_token", of))


def _certain_startup(run: RunFacts) -> float | None:
    """The startup latency of a cold run, where a second witness bears it out."""
    startup_ms, low_ms, high_ms = run.startup_ms, run.low_ms, run.high_ms
    if not run.is_cold or startup_ms is None or run.ttft_ms is None or run.is_provisional:
        return None
    if run.marker_rank is None or run.marker_rank >= WEAK_RANK:
        return None
    if (
        low_ms
        and high_ms is not None
        and high_ms - low_ms <= AGREEMENT * startup_ms
        and low_ms <= startup_ms <= high_ms
    ):
        return startup_ms
    warm = [run.ttft_ms - one.ttft_ms for one in run.neighbours if one.is_cold is False and one.ttft_ms is not None]
    if len(warm) < LEAST_WARM:
        return None
    is_borne_out = (1 - AGREEMENT) * max(warm) <= startup_ms <= (1 + AGREEMENT) * min(warm)
    return startup_ms if is_borne_out else None


def _beside(run: RunFacts, cause: Cause) -> tuple[str, dict[str, Part]]:
    """What the runs before have to say about it."""
    if cause == "environment":
        count = len(list(takewhile(lambda one: one.is_cold is False, run.neighbours)))
        words = ngettext("; {runs} before was warm", "; {runs} before were warm", count)
        runs = ngettext("the run", "the %(count)d runs", count) % {"count": count}
        return (words, {"runs": Part(runs, "runs")}) if count else ("", {})
    totals = summarise(one.total_ms for one in run.neighbours if one.total_ms is not None)
    if totals.p50 is None:
        return "", {}
    usual = f"{duration(totals.p50.low)} – {duration(totals.p50.high)}"
    return _("; usually it takes {usual} here (n = {n})"), {"usual": Part(usual, "runs"), "n": Part(str(totals.n))}


def _together(spans: Sequence[Span]) -> float:
    """How long at least one of them was at work."""
    total_ms = reached_ms = 0.0
    for span in sorted(spans, key=lambda span: span.start_ms):
        total_ms += max(0.0, span.end_ms - max(span.start_ms, reached_ms))
        reached_ms = max(reached_ms, span.end_ms)
    return total_ms


def _row_of(gaps: Sequence[Gap], *keys: str) -> str:
    """The row of the drawing that shows the first of these gaps."""
    return next((f"{gap.key}-{gap.after}" for key in keys for gap in gaps if gap.key == key), "")


def _row(text: str, row: str) -> Part:
    return Part(text, "row", row)


def _took(took_ms: float, row: str, of: Part, *, evidence: Literal["row", "log"] = "row") -> dict[str, Part]:
    return {"took": Part(duration(took_ms), evidence, row), "of": of}


def _filled(words: str, parts: dict[str, Part]) -> list[Part]:
    """A sentence with its figures in their places, each a part of its own."""
    filled = []
    for literal, name, _spec, _conversion in Formatter().parse(words):
        if literal:
            filled.append(Part(literal))
        if name is not None:
            filled.append(parts[name])
    return filled
