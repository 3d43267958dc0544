from __future__ import annotations

from typing import Any

from apps.agentcore.aws.health import check_aws


def test_an_emulator_that_answers_is_healthy(emulator: Any) -> None:
    assert check_aws() is None


def test_an_emulator_that_is_down_is_named(settings: Any) -> None:
    settings.EMULATOR_URL = "http://127.0.0.1:9"  # the discard port, where nothing listens

    problem = check_aws()
    assert problem is not None and problem.startswith("EndpointConnectionError:")
