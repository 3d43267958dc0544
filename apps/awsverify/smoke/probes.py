"""What AWS's documents leave open and a few calls past Loom can answer: Loom has no use for them itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.errors import AwsError, translated
from apps.aws.logs.reading import RuntimeLogs
from apps.aws.logs.streams import classify
from apps.awsverify.smoke.log_seen import LogSeen
from apps.awsverify.smoke.turns import Turn

METRICS_NAMESPACE = "AWS/Bedrock-AgentCore"
MAX_METRIC_PAGES = 4
SESSION_ID_LENGTHS = (100, 101, 128, 256)


class _NamedByEndpoint(RuntimeArn):
    """The same agent, but said on the wire with the ARN of its endpoint."""

    @property
    def runtime_arn(self) -> str:
        return f"{super().runtime_arn}/runtime-endpoint/{self.qualifier}"


@dataclass(frozen=True, slots=True)
class Request:
    """What to send past Loom: the same payload, in the session that Loom began."""

    arn: RuntimeArn
    qualifier: str
    runtime_session_id: str
    payload: bytes
    accept: str = "text/event-stream, application/json"


async def invoke_by_endpoint_arn(invoker: AgentCoreClient, request: Request, name: str) -> Turn:
    """Invoke with the endpoint's ARN as `agentRuntimeArn`."""
    arn = request.arn
    by_endpoint = _NamedByEndpoint(arn.partition, arn.region, arn.account_id, arn.runtime_id, request.qualifier)
    return await _ask(invoker, replace(request, arn=by_endpoint), name)


async def invoke_for_json(invoker: AgentCoreClient, request: Request, name: str) -> Turn:
    """Invoke with `Accept: application/json` alone."""
    return await _ask(invoker, replace(request, accept="application/json"), name)


async def _ask(invoker: AgentCoreClient, request: Request, name: str) -> Turn:
    """Whether AWS takes the request, and how the answer looks from outside; nobody reads what it says."""
    turn = Turn(name)
    started_s = 0.0

    def start(attempt: int) -> None:
        nonlocal started_s
        turn.invoked_at, turn.attempt_count, started_s = datetime.now(UTC), attempt, time.perf_counter()

    try:
        response = await invoker.invoke(
            request.arn,
            qualifier=request.qualifier,
            runtime_session_id=request.runtime_session_id,
            payload=request.payload,
            accept=request.accept,
            on_send=start,
        )
        turn.headers_ms = (time.perf_counter() - started_s) * 1000
        turn.http_status, turn.content_type = response.http_status, response.content_type
        turn.request_id, turn.trace_id = response.request_id, response.trace_id
        turn.is_session_echoed = response.runtime_session_id == request.runtime_session_id
        try:
            async for data in response.chunks():
                turn.first_chunk_ms = turn.first_chunk_ms or (time.perf_counter() - started_s) * 1000
                turn.chunk_count += 1
                turn.byte_count += len(data)
        finally:
            await response.close()
        turn.status = "completed"
    except AwsError as error:
        turn.fail(error.code, error.message, error.advice, error.request_id)
        turn.http_status = error.http_status or turn.http_status
    turn.total_ms = (time.perf_counter() - started_s) * 1000 if turn.invoked_at else None
    return turn


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


def add_stream_ages(connection: Connection, region: str, seen: LogSeen, turns: Iterable[Turn]) -> None:
    """Ask when the stream of each start was created; stays open where AWS does not say."""
    sent_at = {turn.name: turn.invoked_at for turn in turns}
    logs = RuntimeLogs(connection)
    for start in seen.starts:
        invoked_at = sent_at[start.turn]
        if classify(start.stream).environment_id is None or invoked_at is None:
            continue
        try:
            found = logs.streams(region=region, log_group=seen.log_group, prefix=start.stream, limit=1)
        except AwsError:
            return
        for stream in found:
            start.stream_began_ms = (stream.created_at - invoked_at) / timedelta(milliseconds=1)
