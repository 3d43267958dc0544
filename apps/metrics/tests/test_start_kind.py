from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.metrics.starts.start_kind import EarlierRun, Verdict, decide, refine

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
STREAM = "2026/11/20/[runtime-logs]11111111-1111-4111-8111-111111111111"
OTHER = "2026/11/20/[runtime-logs]22222222-2222-4222-8222-222222222222"


def earlier(seconds_before: float, **overrides: Any) -> EarlierRun:
    fields = {
        "invoked_at": NOON - timedelta(seconds=seconds_before + 2),
        "completed_at": NOON - timedelta(seconds=seconds_before),
        "version": "3",
        "has_crashed": False,
        "kind": "created",
    }
    return EarlierRun(**{**fields, **overrides})


def kind_after(*runs: EarlierRun, **overrides: Any) -> str:
    fields = {
        "invoked_at": NOON, "is_own_id": True, "ended_at": None, "idle_timeout": timedelta(minutes=15),
        "max_lifetime": timedelta(hours=8), "earlier": runs,
    }  # fmt: skip
    return decide(**{**fields, **overrides}).kind


def test_the_first_run_of_a_session_that_we_made_is_cold() -> None:
    assert kind_after() == "created"


def test_the_first_run_of_a_session_from_outside_is_unknown() -> None:
    assert kind_after(is_own_id=False) == "unknown"


@pytest.mark.parametrize(
    ("idle_s", "kind"), [(1, "reused"), (800, "reused"), (811, "unknown"), (989, "unknown"), (991, "created")]
)
def test_the_idle_timeout_of_15_minutes_decides_with_a_margin(idle_s: float, kind: str) -> None:
    assert kind_after(earlier(idle_s)) == kind


def test_near_the_maximum_lifetime_nothing_is_certain() -> None:
    runs = [earlier(3600 * 7.9), earlier(60, kind="reused")]
    assert kind_after(*runs) == "unknown"
    assert (
        kind_after(earlier(3600 * 7, completed_at=NOON - timedelta(seconds=60)), earlier(60, kind="reused")) == "reused"
    )


def test_after_the_session_was_ended_a_run_is_cold() -> None:
    assert kind_after(earlier(60), ended_at=NOON - timedelta(seconds=30)) == "created"


def test_an_end_before_the_last_run_does_not_count() -> None:
    assert kind_after(earlier(60), ended_at=NOON - timedelta(seconds=90)) == "reused"


def test_after_a_crash_nothing_is_certain() -> None:
    assert kind_after(earlier(60, has_crashed=True)) == "unknown"


def test_a_new_version_takes_no_environment_away() -> None:
    assert kind_after(earlier(60, version="2")) == "reused"
    assert kind_after(earlier(991, version="2")) == "created"


def test_a_session_whose_first_start_is_unknown_stays_unknown() -> None:
    assert kind_after(earlier(60, kind="unknown")) == "unknown"


def refined(kind: Any, began_s_before: float | None, *streams: str | None) -> str:
    began_at = None if began_s_before is None else NOON - timedelta(seconds=began_s_before)
    verdict = refine(
        Verdict(kind, "…"), invoked_at=NOON, stream=STREAM, stream_began_at=began_at, earlier_streams=streams
    )
    return verdict.kind


@pytest.mark.parametrize(
    ("kind", "began_s_before", "streams", "expected"),
    [
        ("created", -0.5, (), "created"),
        ("created", 400, (), "pooled"),  # boot lines minutes before the request: the environment waited for it
        ("created", None, (), "created"),
        ("reused", 60, (STREAM,), "reused"),
        ("unknown", 60, (STREAM,), "reused"),
        ("reused", -0.5, (OTHER,), "created"),  # reclaimed early
        ("reused", 400, (OTHER,), "pooled"),
        ("unknown", -0.5, (OTHER,), "created"),
        ("unknown", -0.5, (), "created"),  # a session from outside, but its stream began with this run
        ("unknown", 400, (), "unknown"),  # it may be pooled, or used by someone else before
        ("reused", None, (), "reused"),
        # The run before has no known stream, so this one may be its stream.
        ("reused", 60, (None,), "reused"),
        ("reused", None, (OTHER, None), "reused"),
        ("unknown", 0.2, (None,), "unknown"),
        ("unknown", -0.5, (None,), "created"),
        ("unknown", 60, (STREAM, None), "reused"),
    ],
)
def test_the_log_stream_decides(
    kind: str, began_s_before: float | None, streams: tuple[str | None, ...], expected: str
) -> None:
    assert refined(kind, began_s_before, *streams) == expected
