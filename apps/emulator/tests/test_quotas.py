from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from apps.emulator.aws_wire import AwsError
from apps.emulator.quotas import FILTER_PER_S, NEW_SESSIONS_PER_S, Quotas
from apps.emulator.tests.running_emulator import running_emulator


def spend(quotas: Quotas, region: str, count: int) -> int:
    """Ask for that many new sessions; returns how many were granted."""
    granted = 0
    for _ in range(count):
        try:
            quotas.spend(region, "new session", NEW_SESSIONS_PER_S)
        except AwsError as error:
            assert (error.status, error.code, error.message) == (429, "ThrottlingException", "Rate exceeded")
        else:
            granted += 1
    return granted


def test_a_second_grants_as_many_as_are_published_in_each_region() -> None:
    now = [100.0]
    quotas = Quotas(True, lambda: now[0])

    assert spend(quotas, "us-east-1", 40) == 25
    now[0] += 0.2
    assert spend(quotas, "us-east-1", 40) == 5
    assert spend(quotas, "eu-west-1", 40) == 25
    now[0] += 60
    assert spend(quotas, "us-east-1", 40) == 25


def test_nothing_is_refused_when_quotas_are_off() -> None:
    assert spend(Quotas(False), "us-east-1", 1000) == 1000


def test_filter_log_events_above_the_regional_rate_is_throttled_with_status_400() -> None:
    assert FILTER_PER_S["eu-central-1"] == 5
    with running_emulator("--seed", "3") as emulator:
        logs = emulator.client("logs", "eu-central-1")
        codes: list[str] = []
        while "ThrottlingException" not in codes:
            assert len(codes) < 500
            with pytest.raises(ClientError) as caught:
                logs.filter_log_events(logGroupName="/aws/bedrock-agentcore/runtimes/none-0123456789-DEFAULT")
            codes.append(caught.value.response["Error"]["Code"])

    assert codes[:5] == ["ResourceNotFoundException"] * 5
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
