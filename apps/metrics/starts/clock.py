"""How far an environment's clock is from ours, from causality alone. Pure.

A run i was sent at s_i and its first byte was here at f_i, by our clock; its agent started at a_i by its own, which is
ahead of ours by an unknown θ. An agent cannot start before it was asked, nor after its first byte was here:

    s_i ≤ a_i − θ ≤ f_i,  so  a_i − f_i ≤ θ ≤ a_i − s_i.

Every run of the same environment says this of the same θ, so all of them hold at once (the intersection of intervals
of K. Marzullo, "Maintaining the Time in a Distributed System", 1984, with every clock taken to be honest):

    L = max (a_i − f_i − m_i − d_i) ≤ θ ≤ U = min (a_i − s_i + m_i + d_i),

and of run k follows a_k − m_k − U ≤ start ≤ a_k + m_k − L, cut with [s_k, f_k]. m_i is what a line's time may be off
(its resolution, and the moment between the event and its line), d_i what two clocks may have drifted apart between the
runs i and k: 15 millionths of the time between them, the tolerance PHI of RFC 5905 (NTP). Nothing is averaged and
nothing is assumed of how delays are spread, so no outlier moves the bounds; where they contradict each other a clock
was set meanwhile, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LEAST_RUNS = 5
DRIFT = 15e-6
# By marker: an application's own line has microseconds; the SDK's has milliseconds, twice.
MARGIN_MS = {1: 1.0, 2: 3.0, 3: 3.0}
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A run whose start was found: two instants of our clock, one of its environment's, and by which marker."""

    sent_at: datetime
    first_byte_at: datetime
    started_at: datetime
    marker_rank: int

    @property
    def margin_ms(self) -> float:
        return MARGIN_MS[self.marker_rank]


@dataclass(frozen=True, slots=True)
class Interval:
    """Within which the startup latency of a run lies, and by how much its environment's clock is ahead of ours (ms)."""

    low_ms: float
    high_ms: float
    ahead_low_ms: float
    ahead_high_ms: float
    run_count: int


def narrowed(run: Sighting, environment: Sequence[Sighting]) -> Interval | None:
    """The interval of a run in the light of all of its environment, itself among them.

    None where there are fewer than `LEAST_RUNS`, where they contradict each other, or tell no more than the run alone.
    """
    if len(environment) < LEAST_RUNS:
        return None
    ahead_low_ms = max(_ms(one.started_at, one.first_byte_at) - _slack_ms(one, run) for one in environment)
    ahead_high_ms = min(_ms(one.started_at, one.sent_at) + _slack_ms(one, run) for one in environment)
    if ahead_low_ms > ahead_high_ms:
        return None
    by_its_clock_ms, longest_ms = _ms(run.started_at, run.sent_at), _ms(run.first_byte_at, run.sent_at)
    low_ms = max(0.0, by_its_clock_ms - run.margin_ms - ahead_high_ms)
    high_ms = min(longest_ms, by_its_clock_ms + run.margin_ms - ahead_low_ms)
    if low_ms > high_ms or (low_ms <= 0 and high_ms >= longest_ms):
        return None
    return Interval(low_ms, high_ms, ahead_low_ms, ahead_high_ms, len(environment))


def _slack_ms(one: Sighting, run: Sighting) -> float:
    return one.margin_ms + DRIFT * abs(_ms(one.sent_at, run.sent_at))


def _ms(later: datetime, earlier: datetime) -> float:
    return (later - earlier) / _MILLISECOND
