"""The gaps of a run: together they are its whole time, whatever of it is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.explaining.gaps import RunInstants, begin_of, end_of, gaps_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
STATUSES = ("queued", "pending", "streaming", "waiting", "completed", "failed", "stopped", "interrupted")
UNFINISHED = STATUSES[:4]


def at(ms: float) -> datetime:
    return NOON + timedelta(milliseconds=ms)


COLD = RunInstants(
    "completed",
    requested_at=at(0),
    claimed_at=at(3),
    invoked_at=at(10),
    startup_ms=1900,
    headers_at=at(2100),
    first_chunk_at=at(2101),
    first_token_at=at(2310),
    completed_at=at(4310),
)


def told(run: RunInstants, now: datetime = NOON) -> list[tuple[str, float]]:
    return [(gap.key, gap.duration_ms) for gap in gaps_of(run, now)]


def test_a_cold_run_is_told_from_its_request_to_its_end() -> None:
    assert told(COLD) == [
        ("preparing", 3), ("preparing", 7), ("startup", 1900), ("agent", 190), ("agent", 1), ("first_token", 209),
        ("answering", 2000),
    ]  # fmt: skip
    assert [(gap.clock, gap.evidence) for gap in gaps_of(COLD, NOON)][2:5] == [
        ("agent", "log"), ("agent", "log"), ("loom", "run"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"startup_ms": None}, "preparing preparing response first_byte first_token answering"),
        ({"startup_ms": 2090.5}, "preparing preparing response startup agent first_token answering"),
        ({"was_queued": True}, "queue preparing startup agent agent first_token answering"),
        ({"attempt_count": 3}, "preparing attempts startup agent agent first_token answering"),
        ({"first_token_at": None}, "preparing preparing startup agent agent receiving"),
        ({"status": "failed", "first_token_at": None}, "preparing preparing startup agent agent until_failed"),
        ({"status": "stopped"}, "preparing preparing startup agent agent first_token answering"),
        ({"startup_ms": 9000}, "preparing preparing response first_byte first_token answering"),
    ],
)
def test_what_is_missing_or_went_otherwise_changes_the_words(changes: dict[str, object], keys: str) -> None:
    assert [key for key, _ in told(replace(COLD, **changes))] == keys.split()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("run", "now_ms", "expected"),
    [
        (RunInstants("queued", at(0), was_queued=True), 700, [("queue", 700)]),
        (RunInstants("pending", at(0), claimed_at=at(5), was_queued=True), 9, [("queue", 5), ("preparing", 4)]),
        (RunInstants("streaming", at(0), invoked_at=at(5)), 905, [("preparing", 5), ("response", 900)]),
        (RunInstants("failed", at(0), completed_at=at(40)), 90, [("until_failed", 40)]),
        (RunInstants("stopped", at(0), completed_at=at(40), was_queued=True), 90, [("until_stopped", 40)]),
        (
            RunInstants("interrupted", at(0), invoked_at=at(1), completed_at=at(8)),
            90,
            [("preparing", 1), ("until_interrupted", 7)],
        ),
    ],
)
def test_a_run_that_goes_on_or_never_got_far(run: RunInstants, now_ms: float, expected: object) -> None:
    assert told(run, at(now_ms)) == expected


def test_the_time_that_a_run_waited_for_a_person_is_a_gap_of_its_own() -> None:
    run = replace(COLD, status="completed", pauses=[(at(2500), at(4000))])
    assert told(run)[-3:] == [("answering", 190), ("person", 1500), ("answering", 310)]
    waiting = replace(COLD, status="waiting", completed_at=None, pauses=[(at(2500), None)])
    assert told(waiting, at(9000))[-2:] == [("answering", 190), ("person", 6500)]


instants = st.integers(-2_000_000, 120_000_000).map(lambda us: NOON + timedelta(microseconds=us))
maybe = st.none() | instants


@st.composite
def runs(draw: st.DrawFn) -> RunInstants:
    status = draw(st.sampled_from(STATUSES))
    return RunInstants(
        status,
        requested_at=draw(instants),
        claimed_at=draw(maybe),
        invoked_at=draw(maybe),
        headers_at=draw(maybe),
        first_chunk_at=draw(maybe),
        first_token_at=draw(maybe),
        completed_at=None if status in UNFINISHED else draw(instants),
        was_queued=draw(st.booleans()),
        attempt_count=draw(st.integers(0, 3)),
        startup_ms=draw(st.none() | st.floats(-400_000, 400_000)),
        pauses=draw(st.lists(st.tuples(instants, maybe), max_size=3)),
    )


@given(runs(), instants)
def test_the_gaps_of_any_run_are_its_whole_time(run: RunInstants, now: datetime) -> None:
    """Over any instants, missing ones, and ones that contradict each other because a clock was set."""
    gaps = gaps_of(run, now)
    wall_ms = (end_of(run, now) - begin_of(run)) / timedelta(milliseconds=1)
    assert abs(sum(gap.duration_ms for gap in gaps) - wall_ms) <= 1
    assert all(gap.duration_ms > 0 for gap in gaps)
    assert all(earlier.end_ms == later.start_ms for earlier, later in pairwise(gaps))
    if gaps:
        assert (gaps[0].start_ms, gaps[-1].end_ms) == (0, wall_ms)
