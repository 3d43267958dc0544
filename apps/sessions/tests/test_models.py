from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.sessions.models import Invocation, Session

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("d52a9aeb-3fbc-4d26-8d6b-a69afd7007ce", True),
        ("a" * 33, True),
        ("a" * 100, True),
        ("9_-" + "b" * 40, True),
        ("a" * 32, False),
        ("a" * 101, False),
        ("-" + "a" * 40, False),
        ("a" * 40 + "\n", False),
        ("a" * 40 + ":", False),
        ("ä" * 40, False),
        ("", False),
    ],
)
def test_session_ids(text: str, *, is_valid: bool) -> None:
    """S1-003: 33 to 100 characters that AgentCore gives back unchanged."""
    assert Session.is_valid_id(text) is is_valid


def test_a_duration_has_no_more_digits_than_its_instants() -> None:
    """10,635.979 ms, not 10,635.979000000001."""
    run = Invocation(invoked_at=NOON, completed_at=NOON + timedelta(microseconds=10_635_979))
    assert (run.total_latency_ms, str(run.total_latency_ms)) == (10_635.979, "10635.979")
    run.waited_ms = 6_664.59
    assert str(run.total_latency_ms) == "3971.389"
