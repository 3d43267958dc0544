from __future__ import annotations

import pytest

from apps.aws.retries import AGENTCORE, RetryPolicy


@pytest.mark.parametrize(("attempt", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (9, 8.0)])
def test_delays_double_up_to_their_limit_with_jitter(attempt: int, longest: float) -> None:
    """S1-031, S1-032: one second first, doubled, eight at most."""
    delays = [AGENTCORE.delay_after(attempt) for _ in range(100)]

    assert longest / 2 <= min(delays) < max(delays) <= longest


def test_agentcore_is_asked_three_times_at_most() -> None:
    """S1-032."""
    assert RetryPolicy(max_attempts=3, first_delay_s=1.0, factor=2.0, longest_delay_s=8.0) == AGENTCORE
