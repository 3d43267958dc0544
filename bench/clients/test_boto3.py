"""boto3, newer than the one Loom is built with: every paginator, over everything that is offered."""

from __future__ import annotations

import time
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

SERVICES = ("bedrock-agentcore-control", "bedrock-agentcore", "logs", "cloudwatch", "sts")
GROUP = f"/clients/{uuid.uuid4()}"
NOW = time.time()
STAT = {"Metric": {"Namespace": "AWS/Bedrock-AgentCore", "MetricName": "Invocations"}, "Period": 60, "Stat": "Sum"}
OFFERED: dict[str, dict[str, Any]] = {
    "list_agent_runtimes": {},
    "list_agent_runtime_versions": {"agentRuntimeId": "sentiment_scorer-Aw8DkP4vGn"},
    "list_agent_runtime_endpoints": {"agentRuntimeId": "travel_concierge-Xk29QmT7aB"},
    "describe_log_groups": {"logGroupNamePrefix": GROUP},
    "describe_log_streams": {"logGroupName": GROUP},
    "filter_log_events": {"logGroupName": GROUP},
    "get_metric_data": {
        "MetricDataQueries": [{"Id": "a", "MetricStat": STAT}],
        "StartTime": NOW - 3600,
        "EndTime": NOW,
    },
}


@pytest.fixture
def group(aws: dict[str, str]) -> None:
    """A group of two streams with three events each, and a second group."""
    logs = boto3.client("logs")
    if logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
        return
    for name in (GROUP, f"{GROUP}/more"):
        logs.create_log_group(logGroupName=name)
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        events = [{"timestamp": int(NOW * 1000) - 5000 + n, "message": f"{stream} {n}"} for n in range(3)]
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def paginated(client: Any, operation: str) -> bool:
    """Tell whether botocore can page through an operation that needs no members."""
    return bool(client.can_paginate(operation))


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("operation", OFFERED)
def test_pages_of_any_size_hold_the_whole(group: None, operation: str, size: int) -> None:
    client: Any = next(
        client
        for client in map(boto3.client, SERVICES)
        if hasattr(client, operation)  # type: ignore[call-overload]
    )
    paginator = client.get_paginator(operation)

    whole = paginator.paginate(**OFFERED[operation]).build_full_result()
    paged = paginator.paginate(**OFFERED[operation], PaginationConfig={"PageSize": size}).build_full_result()

    assert paged == whole
    assert any(isinstance(value, list) and value for value in whole.values())


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_not_offered_is_an_unknown_operation(aws: dict[str, str], service: str) -> None:
    """Nothing but the operations that the documentation names is answered, and nothing ends with a 500."""
    client: Any = boto3.client(service)  # type: ignore[call-overload]
    for operation in dir(client):
        if not paginated_name(client, operation) or operation in OFFERED:
            continue
        try:
            client.get_paginator(operation).paginate().build_full_result()
        except ParamValidationError:
            continue  # botocore wants members before it asks
        except ClientError as error:
            found = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            assert found in (("UnknownOperationException", 404), ("UnknownOperationException", 400)), operation
        else:
            pytest.fail(f"{operation} was answered")


def paginated_name(client: Any, name: str) -> bool:
    return name in client.meta.method_to_api_mapping and paginated(client, name)
