"""A source of answers: AgentCore's data plane as far as an invocation needs it, made to cost little.

    python -m bench.stream.source --port 0 --core 1

Prints `source listening on PORT`. A prompt `RATE COUNT` is answered by COUNT tokens, RATE of them a second, as
server-sent events in chunked encoding; rate 0 sends all of them at once, and a third number makes each of them a
paragraph of so many characters. The two calls of the control plane with which
Loom registers an agent are answered as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
from functools import cache
from http import HTTPStatus
from typing import cast

import uvloop

from bench.stream.stamps import CYCLE, now_us, sse_frame

RUNTIME_ID = "bench_source-AbCdEf0123"
RUNTIME_ARN = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{RUNTIME_ID}"
CREATED_AT = "2026-01-01T00:00:00Z"

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_SESSION = re.compile(rb"\r\nx-amzn-bedrock-agentcore-runtime-session-id: *([\w-]+)", re.IGNORECASE)
_SIGNATURE = re.compile(rb"\r\nauthorization: *AWS4-HMAC-SHA256 ", re.IGNORECASE)
_PROMPT = re.compile(r"([0-9.]+) ([0-9]+)(?: ([0-9]+))?")
_LAST_CHUNK = b"0\r\n\r\n"
_BURST = 64

_ENDPOINT = {
    "agentRuntimeArn": RUNTIME_ARN,
    "agentRuntimeEndpointArn": f"{RUNTIME_ARN}/runtime-endpoint/DEFAULT",
    "createdAt": CREATED_AT,
    "id": "DEFAULT",
    "lastUpdatedAt": CREATED_AT,
    "liveVersion": "1",
    "name": "DEFAULT",
    "status": "READY",
}
_RUNTIME = {
    "agentRuntimeArn": RUNTIME_ARN,
    "agentRuntimeId": RUNTIME_ID,
    "agentRuntimeName": "bench_source",
    "agentRuntimeVersion": "1",
    "createdAt": CREATED_AT,
    "description": "Answers prompts of the form `RATE COUNT`.",
    "lastUpdatedAt": CREATED_AT,
    "lifecycleConfiguration": {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800},
    "networkConfiguration": {"networkMode": "PUBLIC"},
    "protocolConfiguration": {"serverProtocol": "HTTP"},
    "roleArn": "arn:aws:iam::123456789012:role/AgentRuntimeRole",
    "status": "READY",
    "workloadIdentityDetails": {
        "workloadIdentityArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:workload-identity-directory/default"
        f"/workload-identity/{RUNTIME_ID}"
    },
}


@cache
def _chunks(padding: int) -> list[tuple[bytes, bytes]]:
    """The HTTP chunks of the tokens until the text repeats, before and after their twelve digits."""
    frames = [sse_frame(number, padding) for number in range(CYCLE)]
    return [(b"%x\r\n%s" % (len(head) + 12 + len(tail), head), tail + b"\r\n") for head, tail in frames]


class SourceConnection(asyncio.Protocol):
    """One connection: requests one after another, an answer at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._next = self._count = 0
        self._gap_s = self._due = 0.0
        self._chunks: list[tuple[bytes, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._has_continued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = bytes(self._received).partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(found[1]) if (found := _LENGTH.search(head)) else 0
        if len(body) < length:
            if _EXPECTS.search(head) and not self._has_continued:
                self._has_continued = True
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._received = bytearray(body[length:])
        self._has_continued = False
        self._answer(head, body[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        path = path.partition(b"?")[0]
        if _SIGNATURE.search(head) is None:
            self._send_json(HTTPStatus.FORBIDDEN, {"message": "The request is not signed."})
        elif method == b"POST" and path.endswith(b"/invocations"):
            self._begin(head, body)
        elif method == b"GET" and path == b"/runtimes/%s/" % RUNTIME_ID.encode():
            self._send_json(HTTPStatus.OK, _RUNTIME)
        elif method == b"POST" and path.endswith(b"/runtime-endpoints/"):
            self._send_json(HTTPStatus.OK, {"runtimeEndpoints": [_ENDPOINT]})
        else:
            self._send_json(HTTPStatus.NOT_FOUND, {"message": "The source does not know this call."})

    def _send_json(self, status: HTTPStatus, value: object) -> None:
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def _begin(self, head: bytes, body: bytes) -> None:
        prompt = _PROMPT.fullmatch(json.loads(body)["prompt"])
        if prompt is None:
            self._send_json(HTTPStatus.BAD_REQUEST, {"message": "The prompt has to be `RATE COUNT`."})
            return
        rate, self._count = float(prompt[1]), int(prompt[2])
        self._chunks = _chunks(int(prompt[3] or 0))
        session = found[1] if (found := _SESSION.search(head)) else b""
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
            b"x-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
            b"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id: %s\r\n\r\n" % session
        )
        self._next = 0
        self._gap_s = 1 / rate if rate else 0.0
        self._due = self._loop.time()
        self._send_next()

    def _send_next(self) -> None:
        """Send what is due, and set the timer for the next token by the schedule, so that no lateness adds up."""
        pieces = []
        due = self._due
        for _ in range(_BURST):
            number = self._next
            head, tail = self._chunks[number % CYCLE]
            pieces.append(b"%s%04x%08x%s" % (head, number, now_us() & 0xFFFFFFFF, tail))
            self._next = number + 1
            due += self._gap_s
            if self._next == self._count:
                pieces.append(_LAST_CHUNK)
                break
            if due > self._loop.time():
                break
        self._due = due
        self._transport.write(b"".join(pieces))
        if self._next < self._count:
            self._timer = self._loop.call_at(due, self._send_next)


async def serve(port: int) -> None:
    """Listen for ever."""
    server = await asyncio.get_running_loop().create_server(SourceConnection, "127.0.0.1", port, backlog=4096)
    print(f"source listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    options = argparse.ArgumentParser(description="A source of answers.")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--core", type=int, help="the processor core to stay on")
    chosen = options.parse_args()
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    uvloop.run(serve(chosen.port))


if __name__ == "__main__":
    main()
