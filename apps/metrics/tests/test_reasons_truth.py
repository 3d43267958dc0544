"""What is said of slow runs against a planted truth: runs are drawn with their delays, and with clocks that differ."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.metrics.explaining.gaps import RunInstants, begin_of, end_of, gaps_of
from apps.metrics.explaining.reasons import Cause, Neighbour, Reason, RunFacts, reason_of
from apps.metrics.explaining.spans import Span, Stall
from apps.metrics.startup import startup_latency_ms

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Truth:
    """How long a run really spent with what; milliseconds."""

    queue: float
    attempts: float
    environment: float
    agent: float
    tool: float
    stalls: float
    answer: float
    is_cold: bool

    @property
    def first_token(self) -> float:
        return self.queue + self.attempts + self.environment + self.agent

    @property
    def total(self) -> float:
        return self.first_token + self.tool + self.stalls + self.answer

    def of(self, cause: Cause) -> tuple[float, float]:
        """How long a cause really took, and of what."""
        if cause == "agent" and not self.is_cold:
            return self.agent + self.environment, self.first_token
        is_before = cause in {"queue", "attempts", "environment", "agent"}
        return getattr(self, cause), self.first_token if is_before else self.total


class Agent:
    """An agent whose environments start and whose code works in its own way, and the clock of its machine."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.start_ms = rng.choice([300, 900, 2200, 5000])  # as the emulator's agents: zip, container, a large one
        self.work_ms = rng.choice([30, 150, 800, 2500])
        self.rank = rng.choice([1, 2, 3, 4])
        self.ahead_ms = rng.choice([0.0, rng.gauss(0, 15), rng.gauss(0, 400), rng.uniform(-60_000, 60_000)])
        self.before: deque[Neighbour] = deque(maxlen=20)
        self.run_count = 0

    def drawn(self) -> tuple[Truth, RunFacts]:
        """The next run: what really happened, and what Loom knows of it."""
        rng = self.rng
        is_cold = rng.random() < 0.3
        truth = Truth(
            queue=rng.expovariate(1 / 3000) if rng.random() < 0.15 else 0.0,
            attempts=rng.uniform(200, 4000) if rng.random() < 0.1 else 0.0,
            environment=self.start_ms * rng.lognormvariate(0, 0.2) if is_cold else rng.uniform(1, 30),
            agent=self.work_ms * rng.lognormvariate(0, 0.4),
            tool=rng.expovariate(1 / 2000) if rng.random() < 0.4 else 0.0,
            stalls=rng.uniform(1001, 4000) if rng.random() < 0.2 else 0.0,
            answer=rng.expovariate(1 / 1500),
            is_cold=is_cold,
        )
        known = self._known(truth)
        self.run_count += 1
        self.before.appendleft(Neighbour(self.run_count, known.is_cold, known.ttft_ms, known.wall_ms))
        return truth, known

    def _known(self, truth: Truth) -> RunFacts:
        rng = self.rng
        claimed_ms, sent_ms = truth.queue, truth.queue + truth.attempts
        token_ms, end_ms = truth.first_token, truth.total
        logged = sent_ms + truth.environment + self.ahead_ms + rng.uniform(0, 3)
        started_at = NOON + timedelta(milliseconds=round(logged))
        sent_at, token_at = NOON + timedelta(milliseconds=sent_ms), NOON + timedelta(milliseconds=token_ms)
        first_byte_ms = (token_at - sent_at) / MILLISECOND
        startup_ms = startup_latency_ms(sent_at, started_at, 0.0, first_byte_ms)
        run = RunInstants(
            "completed",
            requested_at=NOON,
            claimed_at=NOON + timedelta(milliseconds=claimed_ms),
            invoked_at=sent_at,
            first_chunk_at=token_at,
            first_token_at=token_at,
            completed_at=NOON + timedelta(milliseconds=end_ms),
            was_queued=truth.queue > 0,
            attempt_count=2 if truth.attempts else 1,
            startup_ms=startup_ms,
        )
        after = token_ms - sent_ms
        spans = [Span("t", "", "tool", "look_up", after, after + truth.tool, is_over=True)] if truth.tool else []
        stalls = [Stall(after + truth.tool, after + truth.tool + truth.stalls)] if truth.stalls else []
        if truth.tool > 1000:
            stalls.append(Stall(after, after + truth.tool, is_in_tool=True))
        is_certain = rng.random() < 0.9
        return RunFacts(
            is_finished=True,
            wall_ms=(end_of(run, NOON) - begin_of(run)) / MILLISECOND,
            sent_ms=sent_ms,
            ttft_ms=first_byte_ms,
            gaps=gaps_of(run, NOON),
            spans=spans,
            stalls=stalls,
            attempt_count=run.attempt_count,
            is_cold=truth.is_cold if is_certain else None,
            startup_ms=startup_ms,
            low_ms=0.0,
            high_ms=first_byte_ms,
            marker_rank=self.rank,
            is_provisional=rng.random() < 0.1,
            neighbours=tuple(self.before),
        )


def is_true(reason: Reason, truth: Truth) -> bool:
    """Half of the time went there (within a twentieth), and the two figures are right within a fifth or 50 ms."""
    took_ms, of_ms = truth.of(reason.cause)
    figures = ((reason.took_ms, took_ms), (reason.of_ms, of_ms))
    return took_ms >= 0.45 * of_ms and all(abs(said - real) <= max(50, 0.2 * real) for said, real in figures)


def simulate(run_count: int, seed: int) -> tuple[int, int, int, dict[str, int]]:
    """How often something was said and true, was said, could have been said; and of what."""
    rng = random.Random(seed)
    said = true = clear = 0
    causes: dict[str, int] = {}
    agent = Agent(rng)
    for number in range(run_count):
        if number % 25 == 0:
            agent = Agent(rng)
        truth, known = agent.drawn()
        reason = reason_of(known)
        clear += truth.total >= 1100 and any(
            truth.of(cause)[0] >= 0.6 * truth.of(cause)[1]
            for cause in ("queue", "attempts", "environment", "agent", "tool", "stalls", "answer")
        )
        if reason is not None:
            said += 1
            true += is_true(reason, truth)
            causes[reason.cause] = causes.get(reason.cause, 0) + 1
    return true, said, clear, causes


def test_a_thousand_runs_are_explained_truly_or_not_at_all() -> None:
    true, said, clear, causes = simulate(1000, seed=20261120)
    assert true >= 0.99 * said
    assert said >= 0.6 * clear
    assert set(causes) == {"queue", "attempts", "environment", "agent", "tool", "stalls", "answer"}


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(50))
def test_fifty_times_a_thousand_runs(seed: int) -> None:
    true, said, clear, _causes = simulate(1000, seed)
    assert true >= 0.99 * said
    assert said >= 0.6 * clear


def test_the_check_finds_a_sentence_that_believes_any_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a second witness a start is as wrong as its clock, and the check above says so."""
    rng = random.Random(1)
    wrong = said = 0
    for _ in range(40):
        agent = Agent(rng)
        agent.ahead_ms, agent.rank = rng.gauss(0, 900), 1
        for _ in range(25):
            truth, known = agent.drawn()
            if not known.is_cold or known.startup_ms is None:
                continue
            startup_ms = known.startup_ms
            believing = replace(known, low_ms=startup_ms, high_ms=startup_ms, is_provisional=False)
            reason = reason_of(believing)
            if reason is not None and reason.cause == "environment":
                said += 1
                wrong += not is_true(reason, truth)
    assert said > 50 and wrong > 0.1 * said
