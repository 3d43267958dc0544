from __future__ import annotations

from datetime import UTC, datetime

from apps.awsverify.smoke.findings import SmokeRun
from apps.awsverify.smoke.steps import recording_step
from apps.awsverify.smoke.turns import Turn


def run_of(*turns: Turn) -> SmokeRun:
    return SmokeRun(datetime(2026, 11, 20, 12, tzinfo=UTC), turns=list(turns))


def test_a_recording_that_is_not_what_was_streamed_fails_the_run() -> None:
    good = Turn("cold", number=1, event_counts={"text": 3, "usage": 1}, is_recorded=True)
    bad = Turn("warm 2", number=2, event_counts={"text": 2}, is_recorded=False)

    fine = recording_step(run_of(good))
    assert (fine.state, fine.message) == ("ok", "1 answer read back as it was streamed, 4 events")
    failed = recording_step(run_of(good, bad))
    assert (failed.state, failed.message) == ("failed", "what Loom keeps is not what it streamed: warm 2")
    assert recording_step(run_of(Turn("endpoint ARN"))).state == "skipped"
