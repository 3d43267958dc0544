from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws.logs.markers import Start
from apps.aws.logs.streams import LogEvent
from apps.metrics.starts.search import Window, find_start_of_run, is_better
from apps.metrics.startup import next_try_at, startup_latency_ms
from apps.metrics.tests.cloudwatch import sdk_line, start_line, stream_of, streaming_line
from apps.metrics.tests.runs import NOON, at

STREAM = stream_of("a1e4683b-b567-4e47-a483-6068a03d9af8")


def line(message: str, written_s: float) -> LogEvent:
    return LogEvent(STREAM, at(written_s), at(written_s + 5), message, "")


def invoked(started_s: float) -> LogEvent:
    return line(start_line(at(started_s)), started_s)


def streaming(started_s: float) -> LogEvent:
    return line(streaming_line(at(started_s)), started_s)


def completed(started_s: float, ended_s: float) -> LogEvent:
    message = f"Invocation completed successfully ({ended_s - started_s:.3f}s)"
    return line(sdk_line(message, at(ended_s)), ended_s)


def window(
    sent_s: float = 0.0,
    first_byte_s: float | None = 2.0,
    ended_s: float = 3.0,
    previous_ended_s: float | None = None,
    next_sent_s: float | None = None,
) -> Window:
    return Window(
        invoked_at=at(sent_s),
        first_byte_at=None if first_byte_s is None else at(first_byte_s),
        completed_at=at(ended_s),
        previous_completed_at=None if previous_ended_s is None else at(previous_ended_s),
        next_invoked_at=None if next_sent_s is None else at(next_sent_s),
    )


def test_a_start_between_request_and_first_byte_is_the_runs() -> None:
    found = find_start_of_run([invoked(1.5), streaming(1.4), completed(1.4, 2.9)], window())

    assert found == Start(1, "Agent invoked", at(1.5), STREAM)


def test_a_turn_sent_200_ms_after_the_last_never_takes_its_start() -> None:
    """The first run's line arrives first; the second is a quick one on a warm environment."""
    first = window(0.0, 1.0, 1.3, next_sent_s=1.5)
    second = window(1.5, 1.9, 2.5, previous_ended_s=1.3)
    early = [streaming(0.8), completed(0.8, 1.3)]

    assert find_start_of_run(early, second) is None
    assert find_start_of_run([*early, streaming(1.7)], second) == Start(
        2, "Returning streaming response", at(1.7), STREAM
    )
    assert find_start_of_run([streaming(1.7)], first) is None
    assert find_start_of_run([*early, streaming(1.7)], first) == Start(
        2, "Returning streaming response", at(0.8), STREAM
    )


def test_the_first_runs_line_that_was_written_late_is_not_the_second_ones() -> None:
    """Its output was buffered, so CloudWatch dates it after the second run was sent; the start it tells is earlier."""
    buffered = line(start_line(at(0.8)), 1.6)

    assert find_start_of_run([buffered], window(1.5, 1.9, 2.5, previous_ended_s=1.3)) == Start(
        4, "First log event", at(1.6), STREAM
    )


def test_a_possible_start_wins_over_an_impossible_one_of_a_better_line() -> None:
    """Where the agent's clock is ahead, the line of the run before comes near to this run's request."""
    events = [invoked(-0.3), streaming(0.4)]

    assert find_start_of_run(events, window()) == Start(2, "Returning streaming response", at(0.4), STREAM)
    assert find_start_of_run(events[:1], window()) == Start(1, "Agent invoked", at(-0.3), STREAM)


@pytest.mark.parametrize(
    ("started_s", "is_found"), [(-1.001, False), (-1.0, True), (0.0, True), (3.0, True), (3.001, False)]
)
def test_a_start_up_to_a_second_outside_shows_that_the_clocks_differ(started_s: float, *, is_found: bool) -> None:
    found = find_start_of_run([invoked(started_s)], window(ended_s=9.0))

    assert (found is not None and found.rank == 1) is is_found


def test_without_a_first_byte_the_end_is_the_bound() -> None:
    alone = window(first_byte_s=None, ended_s=3.0)

    assert find_start_of_run([invoked(2.9)], alone) == Start(1, "Agent invoked", at(2.9), STREAM)
    assert find_start_of_run([invoked(4.1)], alone) is None


def test_lines_before_the_request_are_boot_lines_of_a_waiting_environment() -> None:
    boot = [line("INFO: model client ready", -400.0), line("Listening on 8080", -0.5), invoked(-360.0)]

    assert find_start_of_run(boot, window()) is None
    assert find_start_of_run([*boot, line("thinking", 0.7)], window()) == Start(4, "First log event", at(0.7), STREAM)


@pytest.mark.parametrize(
    "message",
    [
        f"Prompt: {start_line(at(1.0))}",
        f"{start_line(at(1.0))} was in the prompt",
        sdk_line(f"echo: {start_line(at(1.0))}", at(1.0)),
        '{"message": "Returning streaming response (generator) (0.000s)", "logger": "my_agent"}',
        '{"prompt": "Invocation completed successfully (0.500s)"}',
    ],
)
def test_a_quoted_marker_is_only_a_line(message: str) -> None:
    assert find_start_of_run([line(message, 1.2)], window()) == Start(4, "First log event", at(1.2), STREAM)


@dataclass(frozen=True)
class Turn:
    """A run in whole milliseconds after noon, with the lines that it wrote."""

    sent: int
    started: int
    first_byte: int
    ended: int
    events: tuple[LogEvent, ...]


@st.composite
def turns(draw: st.DrawFn) -> list[Turn]:
    """Runs of one session, one after the other, on an agent whose clock agrees with ours; any of their lines."""
    found: list[Turn] = []
    now = 0
    for _ in range(draw(st.integers(2, 4))):
        sent = now + draw(st.integers(1, 3_000))
        started = sent + draw(st.integers(1, 2_500))
        first_byte = started + draw(st.integers(1, 1_500))
        ended = first_byte + draw(st.integers(0, 3_000))
        written = [
            invoked(started / 1000),
            streaming(started / 1000),
            completed(started / 1000, ended / 1000),
            line("thinking", draw(st.integers(started, ended)) / 1000),
            line(f"Prompt: {start_line(at(started / 1000))}", started / 1000),
        ]
        found.append(Turn(sent, started, first_byte, ended, tuple(draw(st.sets(st.sampled_from(written))))))
        now = ended
    return found


@given(turns())
def test_a_start_is_never_a_neighbours_while_the_clocks_agree(session: list[Turn]) -> None:
    events = [event for turn in session for event in turn.events]
    for number, turn in enumerate(session):
        before = session[number - 1].ended / 1000 if number else None
        after = session[number + 1].sent / 1000 if number + 1 < len(session) else None
        bounds = window(turn.sent / 1000, turn.first_byte / 1000, turn.ended / 1000, before, after)

        found = find_start_of_run(events, bounds)

        own = find_start_of_run(turn.events, bounds)
        assert found == own
        if found is not None and found.rank < 4:
            assert found.started_at == at(turn.started / 1000)


@pytest.mark.parametrize(
    ("started_ms", "expected"),
    [(-40.0, None), (0.0, None), (0.4, 0.4), (850.0, 850.0), (2_000.0, 2_000.0), (2_000.1, None)],
)
def test_a_startup_latency_is_possible_or_there_is_none(started_ms: float, expected: float | None) -> None:
    """S0-059: (agent start − invoke) × 1000; never negative and never zero."""
    started_at = NOON + timedelta(milliseconds=started_ms)

    assert startup_latency_ms(NOON, started_at, 0.0, 2_000.0) == expected
    assert startup_latency_ms(NOON, started_at, 0.0, None) == (started_ms if started_ms > 0 else None)


def test_nothing_is_made_of_unknown_instants() -> None:
    assert startup_latency_ms(None, NOON, 0.0, None) is None
    assert startup_latency_ms(NOON, None, 0.0, None) is None


# The best first: what a later try finds may only be replaced by what stands above it.
ORDER = [(1, 700.0), (1, 800.0), (2, 650.0), (3, 640.0), (1, None), (3, None), (4, 120.0), (4, None)]


@pytest.mark.parametrize("place", range(len(ORDER)))
def test_only_what_tells_more_replaces_what_is_known(place: int) -> None:
    rank, startup_ms = ORDER[place]

    assert is_better(rank, startup_ms, None, None)
    assert [is_better(rank, startup_ms, *known) for known in ORDER] == [other > place for other in range(len(ORDER))]


def test_twelve_tries_five_seconds_apart_then_after_ten_minutes_and_an_hour() -> None:
    """S0-062."""
    waits: list[float] = []
    tries, now = 0, NOON
    due: datetime | None = now
    while due is not None:
        tries += 1
        due = next_try_at(tries, now)
        waits += [] if due is None else [(due - now).total_seconds()]

    assert (tries, waits) == (14, [4.5] * 11 + [600.0, 3600.0])
