from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.metrics.alerts.deciding import Standing, Verdict, judge, level_of, proceed
from apps.metrics.alerts.kinds import METRICS, Run, Sample, is_timeout, sample_of, value_of
from apps.metrics.models import Alert, AlertRule

State, Level = Alert.State, Alert.Level
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WARNS, ALERTS = Verdict("broken", Level.WARNING), Verdict("broken", Level.ALERT)
CALM, UNKNOWN = Verdict("calm"), Verdict("unknown")


def rule(**columns: Any) -> AlertRule:
    fields = {"metric": "error_rate", "window_s": 300, "min_n": 20, "alert": 0.05}
    return AlertRule(**{**fields, **columns})


def walk(*verdicts: Verdict) -> list[tuple[str, str, bool]]:
    """State, level and whether it is told, after each look."""
    standing: Standing | None = None
    found = []
    for verdict in verdicts:
        following = proceed(standing, verdict, NOW)
        if following is None:
            found.append(("", "", False))
            continue
        standing = following.standing
        found.append((str(standing.state), str(standing.level), following.tells))
        if standing.state == State.RESOLVED:
            standing = None
    return found


def test_a_second_look_confirms_and_two_without_it_end() -> None:
    assert walk(CALM, ALERTS, ALERTS, ALERTS, CALM, ALERTS, CALM, CALM, CALM) == [
        ("", "", False),
        ("pending", "alert", False),
        ("firing", "alert", True),
        ("firing", "alert", False),
        ("firing", "alert", False),
        ("firing", "alert", False),
        ("firing", "alert", False),
        ("resolved", "alert", True),
        ("", "", False),
    ]


def test_what_was_nothing_is_told_to_nobody() -> None:
    assert walk(ALERTS, CALM, UNKNOWN) == [
        ("pending", "alert", False), ("resolved", "alert", False), ("", "", False)
    ]  # fmt: skip


def test_a_higher_level_is_told_and_a_lower_one_is_not() -> None:
    assert walk(WARNS, WARNS, ALERTS, WARNS, ALERTS) == [
        ("pending", "warning", False),
        ("firing", "warning", True),
        ("firing", "alert", True),
        ("firing", "warning", False),
        ("firing", "alert", True),
    ]


def test_what_is_not_known_leaves_everything_as_it_is() -> None:
    assert walk(ALERTS, UNKNOWN, ALERTS, UNKNOWN, CALM, UNKNOWN, CALM)[-1] == ("resolved", "alert", True)


@pytest.mark.parametrize(
    ("state", "verdict", "until", "expected"),
    [
        (State.ACKNOWLEDGED, WARNS, None, (State.ACKNOWLEDGED, False)),
        (State.ACKNOWLEDGED, ALERTS, None, (State.FIRING, True)),
        (State.SNOOZED, ALERTS, NOW + timedelta(hours=1), (State.SNOOZED, False)),
        (State.SNOOZED, WARNS, NOW, (State.FIRING, True)),
        (State.SNOOZED, UNKNOWN, NOW, (State.SNOOZED, False)),
    ],
)
def test_what_somebody_knows_of_is_quiet_until_it_gets_worse_or_its_time_is_over(
    state: Alert.State, verdict: Verdict, until: datetime | None, expected: tuple[Alert.State, bool]
) -> None:
    following = proceed(Standing(state, Level.WARNING, 0, until), verdict, NOW)

    assert following is not None
    assert (following.standing.state, following.tells) == expected


def test_snoozed_and_acknowledged_alerts_end_as_others_do() -> None:
    for state in (State.ACKNOWLEDGED, State.SNOOZED):
        once = proceed(Standing(state, Level.ALERT), CALM, NOW)
        assert once is not None and once.standing.state == state
        twice = proceed(once.standing, CALM, NOW)
        assert twice is not None and (twice.standing.state, twice.tells) == (State.RESOLVED, True)


@pytest.mark.parametrize(
    ("columns", "sample", "expected"),
    [
        ({}, Sample(20, 0.051), ALERTS),
        ({}, Sample(20, 0.05), CALM),
        ({}, Sample(19, 1.0), UNKNOWN),
        ({"no_data": "ok"}, Sample(19, 1.0), CALM),
        ({"no_data": "alert"}, Sample(0), Verdict("broken", Level.ALERT, is_no_data=True)),
        ({"no_data": "alert", "alert": None, "warning": 0.1}, Sample(0), Verdict("broken", Level.WARNING, True)),
        ({"warning": 0.01}, Sample(20, 0.02), WARNS),
        ({"metric": "ttft_p90", "min_n": 5, "alert": 900}, Sample(35), UNKNOWN),
        ({"metric": "ttft_p90", "min_n": 5, "alert": 900}, Sample(36, 1000.0), ALERTS),
        ({"metric": "run_count", "direction": "below", "alert": 1}, Sample(0, 0.0), ALERTS),
        ({"metric": "run_count", "direction": "below", "alert": 1}, Sample(1, 1.0), CALM),
        ({"direction": "below", "warning": 0.5, "alert": 0.2}, Sample(20, 0.3), WARNS),
    ],
)
def test_a_rule_judges_by_its_bounds_and_says_nothing_with_too_few_runs(
    columns: dict[str, Any], sample: Sample, expected: Verdict
) -> None:
    assert judge(rule(**columns), sample) == expected


def test_a_level_is_the_highest_that_a_value_is_beyond() -> None:
    both = rule(warning=0.1, alert=0.2)
    assert [level_of(both, value) for value in (0.1, 0.15, 0.25)] == [None, Level.WARNING, Level.ALERT]


def run(**columns: Any) -> Run:
    fields: dict[str, Any] = {
        "agent_id": 1, "version": "3", "status": "completed", "error_code": "", "http_status": 200,
        "requested_at": NOW, "invoked_at": NOW, "first_token_at": NOW + timedelta(seconds=1),
        "completed_at": NOW + timedelta(seconds=3), "start_kind": "created", "started_at": NOW + timedelta(seconds=2),
        "marker_rank": 2, "low_ms": 0.0, "high_ms": 5000.0, "cost_usd": None, "input_tokens": 10,
        "output_tokens": None,
    }  # fmt: skip
    return Run(**{**fields, **columns})


@pytest.mark.parametrize(
    ("metric", "columns", "value"),
    [
        ("ttft_p50", {}, 1000.0),
        ("ttft_p50", {"first_token_at": None}, None),
        ("total_p90", {}, 3000.0),
        ("total_p90", {"status": "failed"}, None),
        ("startup_p50", {}, 2000.0),
        ("startup_p50", {"marker_rank": 4}, None),
        ("startup_p50", {"high_ms": 10.0}, None),
        ("cold_share", {}, 1.0),
        ("cold_share", {"start_kind": "reused"}, 0.0),
        ("cold_share", {"start_kind": None}, None),
        ("run_count", {"status": "stopped"}, 1.0),
        ("token_count", {}, 10.0),
        ("token_count", {"input_tokens": None}, None),
        ("cost_usd", {}, None),
        ("cost_usd", {"cost_usd": 0.25}, 0.25),
        ("error_rate", {}, 0.0),
        ("error_rate", {"status": "failed"}, 1.0),
        ("error_rate", {"status": "stopped"}, None),
        ("timeout_rate", {"status": "failed", "error_code": "ReadTimeoutError"}, 1.0),
        ("timeout_rate", {"status": "failed", "error_code": "ThrottlingException"}, 0.0),
        ("broken_rate", {"status": "interrupted"}, 1.0),
        ("broken_rate", {"status": "failed"}, 1.0),
        ("broken_rate", {"status": "failed", "first_token_at": None}, 0.0),
    ],
)
def test_what_a_run_adds_to_a_metric(metric: str, columns: dict[str, Any], value: float | None) -> None:
    assert value_of(METRICS[metric], run(**columns)) == value


def test_a_timeout_is_known_by_whoever_waited() -> None:
    assert is_timeout(run(http_status=504)) and is_timeout(run(error_code="AioReadTimeoutError"))
    assert not is_timeout(run(http_status=500, error_code="RuntimeClientError"))


def test_a_sample_has_its_interval_or_says_nothing() -> None:
    median = sample_of(METRICS["ttft_p50"], [5.0, 1.0, 2.0, 3.0, 4.0, 6.0])
    assert (median.n, median.value, median.low, median.high) == (6, 3.0, 1.0, 6.0)
    assert sample_of(METRICS["ttft_p50"], [1.0] * 5) == Sample(5)
    share = sample_of(METRICS["error_rate"], [1.0] * 2 + [0.0] * 18)
    assert (share.n, share.value) == (20, 0.1) and share.low is not None and share.low > 0
    assert sample_of(METRICS["error_rate"], []) == Sample(0)
    assert sample_of(METRICS["run_count"], [1.0, 1.0]) == Sample(2, 2.0)
