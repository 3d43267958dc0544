"""What AWS's documents leave open and a few more calls can answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.errors import AwsError, translated
from apps.awsverify.smoke.turns import Request, Turn, take_turn

METRICS_NAMESPACE = "AWS/Bedrock-AgentCore"
MAX_METRIC_PAGES = 4
SESSION_ID_LENGTHS = (100, 101, 128, 256)


class _NamedByEndpoint(RuntimeArn):
    """The same agent, but said on the wire with the ARN of its endpoint."""

    @property
    def runtime_arn(self) -> str:
        return f"{super().runtime_arn}/runtime-endpoint/{self.qualifier}"


async def invoke_by_endpoint_arn(invoker: AgentCoreClient, request: Request, name: str) -> Turn:
    """Invoke with the endpoint's ARN as `agentRuntimeArn`."""
    arn = request.arn
    by_endpoint = _NamedByEndpoint(arn.partition, arn.region, arn.account_id, arn.runtime_id, request.qualifier)
    return await take_turn(invoker, replace(request, arn=by_endpoint), name)


async def invoke_for_json(invoker: AgentCoreClient, request: Request, name: str) -> Turn:
    """Invoke with `Accept: application/json` alone."""
    return await take_turn(invoker, replace(request, accept="application/json"), name)


@dataclass(frozen=True, slots=True)
class SessionIdAnswer:
    """What AWS said to an id of this length; `code` is empty where it took the request."""

    length: int
    code: str


async def try_session_id_lengths(invoker: AgentCoreClient, arn: RuntimeArn, qualifier: str) -> list[SessionIdAnswer]:
    """Ask to stop sessions that never existed: changes nothing, and a too long id is refused in its own way."""
    answers = []
    stem = f"loom-smoke-{datetime.now(UTC):%Y%m%dT%H%M%S}-"
    for length in SESSION_ID_LENGTHS:
        code = ""
        try:
            await invoker.stop_session(arn, qualifier=qualifier, runtime_session_id=stem.ljust(length, "0"))
        except AwsError as error:
            code = error.code
        answers.append(SessionIdAnswer(length, code))
    return answers


@dataclass(frozen=True, slots=True)
class MetricDimensions:
    """The names of metrics with the names of their dimensions, or why they could not be listed."""

    sets: dict[str, list[list[str]]]
    error_code: str = ""


async def list_metric_dimensions(connection: Connection, region: str) -> MetricDimensions:
    """Which dimensions AWS's own AgentCore metrics have (ListMetrics); never their values."""
    try:
        return await asyncio.to_thread(_metric_dimensions, connection, region)
    except AwsError as error:
        return MetricDimensions({}, error.code)


def _metric_dimensions(connection: Connection, region: str) -> MetricDimensions:
    found: dict[str, list[list[str]]] = {}
    with translated(connection.profile):
        paginator: Any = client(connection, "cloudwatch", region).get_paginator("list_metrics")
        for number, page in enumerate(paginator.paginate(Namespace=METRICS_NAMESPACE), 1):
            for metric in page["Metrics"]:
                names = sorted(dimension["Name"] for dimension in metric.get("Dimensions", []))
                known = found.setdefault(metric["MetricName"], [])
                if names not in known:
                    known.append(names)
            if number == MAX_METRIC_PAGES:
                break
    return MetricDimensions({name: sorted(sets) for name, sets in sorted(found.items())})
