"""The AWS command line, as people use it at a shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AWS_PROGRAM = str(Path(sys.executable).with_name("aws"))
ID = "travel_concierge-Xk29QmT7aB"
ARN = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{ID}"
GROUP = f"/aws/bedrock-agentcore/runtimes/{ID}-DEFAULT"
SESSION = "from-the-command-line-0123456789abcdef"
PAYLOAD = ("--payload", '{"prompt": "Two days in Ghent"}')


def run(environment: dict[str, str], *arguments: str) -> tuple[int, Any, str]:
    """Exit status, the answer (JSON, or None), and what it complained about."""
    done = subprocess.run(
        [AWS_PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr


def test_an_agent_is_described_invoked_and_stopped(aws: dict[str, str], tmp_path: Path) -> None:
    answer_file = tmp_path / "answer.txt"
    invoke = ("bedrock-agentcore", "invoke-agent-runtime", *PAYLOAD, "--runtime-session-id", SESSION)

    _, listed, _ = run(aws, "bedrock-agentcore-control", "list-agent-runtimes")
    _, got, _ = run(aws, "bedrock-agentcore-control", "get-agent-runtime", "--agent-runtime-id", ID)
    by_arn, head, _ = run(aws, *invoke, "--agent-runtime-arn", ARN, str(answer_file))
    by_id, _, _ = run(aws, *invoke, "--agent-runtime-arn", ID, "--account-id", "123456789012", str(answer_file))
    stopped, _, _ = run(
        aws, "bedrock-agentcore", "stop-runtime-session", "--agent-runtime-arn", ARN, "--runtime-session-id", SESSION
    )

    assert ID in [each["agentRuntimeId"] for each in listed["agentRuntimes"]]
    assert (got["agentRuntimeArn"], got["status"]) == (ARN, "READY")
    assert (by_arn, by_id, stopped, head["statusCode"]) == (0, 0, 0, 200)
    assert answer_file.read_text().startswith("data: ")


def test_logs_and_metrics_are_read(aws: dict[str, str], tmp_path: Path) -> None:
    invoke = ("bedrock-agentcore", "invoke-agent-runtime", *PAYLOAD, "--agent-runtime-arn", ARN)
    run(aws, *invoke, str(tmp_path / "answer.txt"))
    stat = {
        "Metric": {
            "Namespace": "AWS/Bedrock-AgentCore",
            "MetricName": "Invocations",
            "Dimensions": [{"Name": "Resource", "Value": ARN}],
        },
        "Period": 3600,
        "Stat": "Sum",
    }
    queries = json.dumps([{"Id": "a", "MetricStat": stat}])
    span = ("--start-time", "2026-01-01T00:00:00Z", "--end-time", "2026-01-02T00:00:00Z")

    _, found, _ = run(
        aws, "logs", "filter-log-events", "--log-group-name", GROUP, "--filter-pattern", "{ $.level = * }"
    )
    _, streams, _ = run(aws, "logs", "describe-log-streams", "--log-group-name", GROUP, "--max-items", "1")
    stream = streams["logStreams"][0]["logStreamName"]
    _, events, _ = run(aws, "logs", "get-log-events", "--log-group-name", GROUP, "--log-stream-name", stream)
    status, data, complaint = run(aws, "cloudwatch", "get-metric-data", "--metric-data-queries", queries, *span)

    assert found["events"]
    assert events["nextForwardToken"].startswith("f/")
    assert (status, complaint) == (0, "")
    assert [each["StatusCode"] for each in data["MetricDataResults"]] == ["Complete"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("sts", "get-session-token"), "InvalidAction"),
        (("logs", "start-query", "--query-string", "x", "--start-time", "0", "--end-time", "1"), "UnknownOperation"),
        (("logs", "filter-log-events", "--log-group-name", "/none"), "ResourceNotFoundException"),
        (("logs", "describe-log-groups", "--limit", "51"), "Value '51' at 'limit' failed to satisfy constraint"),
        (("cloudwatch", "list-metrics"), "UnknownOperationException"),
        (
            ("bedrock-agentcore-control", "get-agent-runtime", "--agent-runtime-id", ARN),
            "at 'agentRuntimeId' failed to satisfy constraint: Member must satisfy regular expression pattern",
        ),
        (("bedrock-agentcore-control", "list-tags-for-resource", "--resource-arn", ARN), "UnknownOperationException"),
    ],
)
def test_refusals_are_told_in_aws_words(aws: dict[str, str], arguments: tuple[str, ...], complaint: str) -> None:
    status, _, said = run(aws, *arguments)

    assert (status, complaint in said) == (255, True), said


def test_the_caller_is_the_emulated_account(aws: dict[str, str]) -> None:
    assert run(aws, "sts", "get-caller-identity")[1]["Account"] == "123456789012"
