"""Why a run was slow: what is said, and when nothing is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.metrics.explaining.gaps import RunInstants, gaps_of
from apps.metrics.explaining.reasons import Neighbour, RunFacts, reason_of
from apps.metrics.explaining.spans import Span, Stall

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WARM = tuple(Neighbour(pk, is_cold=False, ttft_ms=400 - pk, total_ms=900) for pk in range(3))


def at(ms: float) -> datetime:
    return NOON + timedelta(milliseconds=ms)


def facts(ttft_ms: float = 2300, total_ms: float = 2600, queue_ms: float = 0, **more: Any) -> RunFacts:
    """A run that was sent after `queue_ms` in the queue, and what the timeline knows of it."""
    instants = RunInstants(
        "completed",
        requested_at=at(0),
        claimed_at=at(queue_ms),
        invoked_at=at(queue_ms + more.pop("preparing_ms", 0)),
        startup_ms=more.get("startup_ms"),
        headers_at=None,
        first_chunk_at=at(queue_ms + ttft_ms),
        first_token_at=at(queue_ms + ttft_ms),
        completed_at=at(queue_ms + total_ms),
        was_queued=queue_ms > 0,
        attempt_count=more.get("attempt_count", 1),
    )
    gaps = gaps_of(instants, NOON)
    sent_ms = (instants.invoked_at - NOON) / timedelta(milliseconds=1) if instants.invoked_at else None
    ttft_ms = queue_ms + ttft_ms - (sent_ms or 0)
    return RunFacts(True, queue_ms + total_ms, sent_ms, ttft_ms, gaps, **more)


COLD: dict[str, Any] = {"is_cold": True, "startup_ms": 1900, "low_ms": 0, "high_ms": 2300, "marker_rank": 1}
TOOL = Span("a", "", "tool", "find_trains", 400, 3200, is_over=True)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            facts(**COLD, neighbours=WARM),
            "Cold: 1.90 s of 2.30 s before its first token was the environment; the 3 runs before were warm.",
        ),
        (
            facts(**{**COLD, "low_ms": 1800, "high_ms": 2000}),
            "Cold: 1.90 s of 2.30 s before its first token was the environment.",
        ),
        (
            facts(4300, 4600, **{**COLD, "low_ms": 1800, "high_ms": 2000}),
            "Cold, but the agent took 2.40 s of 4.30 s from its start to its first token.",
        ),
        (
            facts(300, 500, queue_ms=4000),
            "It waited 4.00 s of 4.30 s before its first token in the queue.",
        ),
        (
            facts(2300, 2500, preparing_ms=2000, attempt_count=3),
            "2.00 s of 2.30 s before its first token went by until attempt 3 got through.",
        ),
        (
            facts(1800, 2000, is_cold=False),
            "The environment was warm; the agent took 1.80 s of 1.80 s to its first token.",
        ),
        (facts(300, 4000, is_cold=False, spans=[TOOL]), "The tool find_trains took 2.80 s of 4.00 s."),
        (
            facts(300, 4000, stalls=[Stall(500, 1800), Stall(1900, 3200)]),
            "For 2.60 s of 4.00 s nothing came, in 2 stalls.",
        ),
        (facts(300, 4000), "The answer itself took 3.70 s of 4.00 s."),
        (
            facts(300, 4000, neighbours=[Neighbour(pk, None, 300, 800 + pk) for pk in range(6)]),
            "The answer itself took 3.70 s of 4.00 s; usually it takes 800 ms – 805 ms here (n = 6).",
        ),
    ],
)
def test_one_cause_is_named_with_its_figures(run: RunFacts, said: str) -> None:
    reason = reason_of(run)
    assert reason is not None
    assert reason.text == said
    figures = [part for part in reason.parts if part.text.endswith(" s")]
    assert figures and all(part.evidence for part in figures)


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(facts(300, 900), id="fast"),
        pytest.param(replace(facts(**COLD, neighbours=WARM), is_finished=False), id="goes on"),
        pytest.param(facts(**COLD), id="one witness alone, another clock"),
        pytest.param(facts(**COLD, neighbours=WARM[:2]), id="too few warm runs"),
        pytest.param(facts(**COLD, neighbours=[replace(one, ttft_ms=1500) for one in WARM]), id="they contradict it"),
        pytest.param(facts(**{**COLD, "is_cold": None}, neighbours=WARM), id="start kind unknown"),
        pytest.param(facts(**COLD, neighbours=WARM, is_provisional=True), id="a stronger line may come"),
        pytest.param(facts(**{**COLD, "marker_rank": 4}, neighbours=WARM), id="only the first line"),
        pytest.param(facts(**{**COLD, "startup_ms": None}, neighbours=WARM), id="clock skew"),
        pytest.param(facts(), id="nothing known of the start"),
        pytest.param(facts(900, 2000, spans=[replace(TOOL, end_ms=900)]), id="no cause took half of it"),
        pytest.param(facts(300, 4000, spans=[replace(TOOL, is_over=False)]), id="a tool without its result"),
    ],
)
def test_weak_evidence_says_nothing(run: RunFacts) -> None:
    reason = reason_of(run)
    # What is left when a tool has no result is the answer, as far as anybody knows.
    assert reason is None or (reason.cause == "answer" and run.spans)


def test_a_tool_is_named_before_the_answer_that_it_is_part_of() -> None:
    reason = reason_of(facts(300, 8000, spans=[replace(TOOL, end_ms=4500)]))
    assert reason is not None and (reason.cause, reason.took_ms) == ("tool", 4100)
