from __future__ import annotations

import random
import statistics

import pytest

from apps.emulator.provisioning import (
    StartDraw,
    StartProfile,
    draw_dispatch,
    draw_ingestion_delay,
    draw_start,
    profile_of,
)

SAMPLE = 4000


def draws(profile: StartProfile, count: int = SAMPLE) -> list[StartDraw]:
    return [
        draw_start(seed=1, runtime_id="agent-0123456789", ordinal=ordinal, profile=profile, clock_skew_ms=15.0)
        for ordinal in range(count)
    ]


def p75(values: list[float]) -> float:
    return statistics.quantiles(values, n=4)[2]


@pytest.mark.parametrize(
    ("profile", "published_s"),
    [
        (StartProfile("V1", None), 2.85),
        (StartProfile("V2", None), 1.96),
        (StartProfile("V1", 200), 5.37),
        (StartProfile("V2", 200), 1.94),
        (StartProfile("V1", 1000), 15.48),
        (StartProfile("V2", 1000), 2.13),
        (StartProfile("V1", 2000), 29.72),
        (StartProfile("V2", 2000), 2.16),
    ],
)
def test_cold_starts_have_the_published_75th_percentile(profile: StartProfile, published_s: float) -> None:
    assert p75([draw.cold_s for draw in draws(profile)]) == pytest.approx(published_s, rel=0.02)


def test_sizes_between_the_published_ones_lie_between_them() -> None:
    sizes = [StartProfile("V1", size).cold_p75_s for size in (50, 200, 600, 1000, 1500, 2000, 4000)]

    assert sizes == pytest.approx([5.37, 5.37, 10.425, 15.48, 22.6, 29.72, 29.72])


def test_a_warm_dispatch_stays_below_the_published_round_trip() -> None:
    rng = random.Random(1)

    assert p75([draw_dispatch(rng) for _ in range(SAMPLE)]) == pytest.approx(0.152 * 0.8, rel=0.02)


def test_the_same_arguments_draw_the_same_environment_and_others_another() -> None:
    first, again = (draws(StartProfile("V1", None), 50) for _ in range(2))

    assert [(draw.environment_id, draw.cold_s, draw.skew_s) for draw in first] == [
        (draw.environment_id, draw.cold_s, draw.skew_s) for draw in again
    ]
    assert len({draw.environment_id for draw in first}) == 50


def test_about_a_fifth_of_v1_sessions_are_pooled_and_none_of_v2() -> None:
    shares = [sum(draw.wants_pooled for draw in draws(StartProfile(name, None))) / SAMPLE for name in ("V1", "V2")]

    assert shares == [pytest.approx(0.2, abs=0.02), 0.0]


def test_few_log_lines_take_longer_than_a_minute_and_none_longer_than_two() -> None:
    rng = random.Random(1)
    delays = [draw_ingestion_delay(rng) for _ in range(SAMPLE)]

    assert sum(delay > 60 for delay in delays) / SAMPLE == pytest.approx(0.02, abs=0.008)
    assert max(delays) < 110
    assert 2 < statistics.median(delays) < 4


def test_a_profile_is_read_from_the_members_of_a_version() -> None:
    container = {"agentRuntimeArtifact": {"containerConfiguration": {}}, "platformVersion": "V2"}

    assert [profile_of(container, 800), profile_of({"agentRuntimeArtifact": {"codeConfiguration": {}}})] == [
        StartProfile("V2", 800),
        StartProfile("V1", None),
    ]
