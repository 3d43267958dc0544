"""boto3's client for the source, as a careful user of boto3 makes it, and its answer as pieces of text.

One client for the process with room for every stream, no retries of what may have run, `read1` (which waits for no
full buffer), and one piece for whatever a read brought.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config

from bench.stream.source import RUNTIME_ARN

MOST_STREAMS = 1_200
READ_SIZE = 65_536
SESSION_ID = "bench-session-" + "0" * 24


def make_client(source_port: int) -> Any:
    """A client of the data plane that speaks to the source."""
    return boto3.client(
        "bedrock-agentcore",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{source_port}",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 -- the source accepts any
        config=Config(
            max_pool_connections=MOST_STREAMS,
            read_timeout=300,
            retries={"mode": "standard", "total_max_attempts": 1},
            proxies={},
        ),
    )


def reads(client: Any, payload: bytes) -> Iterator[bytes]:
    """Invoke the source and hand on its bytes as they come."""
    answer = client.invoke_agent_runtime(
        agentRuntimeArn=RUNTIME_ARN, payload=payload, contentType="application/json", accept="text/event-stream",
        runtimeSessionId=SESSION_ID,
    )  # fmt: skip
    with answer["response"] as raw:
        while data := raw.read1(READ_SIZE):
            yield data


def pieces(client: Any, payload: bytes) -> Iterator[str]:
    """Invoke the source and hand on the text that each read completed."""
    rest = b""
    for data in reads(client, payload):
        *lines, rest = (rest + data).split(b"\n")
        text = "".join(_text(line) for line in lines if line.startswith(b"data: "))
        if text:
            yield text


def _text(line: bytes) -> str:
    event = json.loads(line[6:])
    return str(event["event"]["contentBlockDelta"]["delta"]["text"])


def sse(event: str, data: dict[str, object]) -> str:
    """One server-sent event."""
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def sse_frames(client: Any, payload: bytes) -> Iterator[str]:
    """The whole answer as server-sent events, in the words of Loom's API."""
    yield sse("session_start", {"session_id": SESSION_ID})
    for text in pieces(client, payload):
        yield sse("chunk", {"text": text})
    yield sse("session_end", {"session_id": SESSION_ID})
