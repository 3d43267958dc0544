from __future__ import annotations

import pytest

from apps.sessions.models import Session


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
