"""The load client: asks for many answers at once and keeps what comes, with the instant of every read.

    python -m bench.stream.load < plan.json > outcome.json

While it measures it only reads and stores; what it received is looked at afterwards.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import socket
import sys
from typing import cast

import uvloop

from bench.stream.machine import Reading
from bench.stream.outcome import Outcome, summarise
from bench.stream.plan import LoadPlan, Stream
from bench.stream.received import END_MARKS, PING, TEXT, StreamLog, frame_at
from bench.stream.stamps import now_us

CONNECT_AT_ONCE = 16
CONNECT_PATIENCE_S = 60.0
BEFORE_START_S = 0.3
STALLED_BUFFER = 4096
ACKNOWLEDGED_AFTER = 6000
JSON_BEGINS = ord("{")


class Client(asyncio.Protocol):
    """One viewer: connected first, told to ask later."""

    def __init__(self, stream: Stream, plan: LoadPlan) -> None:
        loop = asyncio.get_running_loop()
        self.log = StreamLog()
        self.connected: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._stream = stream
        self._plan = plan
        self._end_marks = END_MARKS[plan.door]
        self._is_open = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        if self._plan.door == "sse":
            self.connected.set_result(None)
            return
        key = base64.b64encode(os.urandom(16)).decode()
        self._write_head(
            f"GET {self._stream.path}",
            {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"},
        )

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.connected, self.ended):
            if not future.done():
                future.set_result(None)

    def ask(self) -> None:
        """Send the prompt; a follower of somebody else's answer has none, but waits from now on as well."""
        self.log.asked_us = now_us()
        if not self._stream.body:
            return
        if self._plan.door == "sse":
            body = self._stream.body.encode()
            self._write_head(
                f"POST {self._stream.path}",
                {"Content-Type": "application/json", "Accept": "text/event-stream", "Content-Length": str(len(body))},
                body,
            )
        else:
            self.transport.write(masked_frame(0x1, self._stream.body.encode()))
        if self._stream.is_stalled:
            self.transport.pause_reading()

    def _end(self, received_us: int) -> None:
        if not self.ended.done():
            self.log.ended_us = received_us
            self.ended.set_result(None)

    def _write_head(self, request: str, headers: dict[str, str], body: bytes = b"") -> None:
        all_headers = {"Host": f"127.0.0.1:{self._plan.port}", **self._plan.headers, **headers}
        lines = [f"{request} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode() + body)


class SseClient(Client):
    """Reads server-sent events."""

    def data_received(self, data: bytes) -> None:
        received_us = now_us()
        if not self._is_open:
            if not data.startswith(b"HTTP/1.1 200"):
                self.transport.close()
                return
            self._is_open = True
        self.log.reads.append((received_us, data))
        [mark] = self._end_marks
        # It may have been cut in two.
        if mark in self._rest + data:
            self._end(received_us)
        self._rest = data[-len(mark) :]


class SocketClient(Client):
    """Reads a WebSocket, answers its pings, and acknowledges what it read as a page does (`static/js/frames.js`).

    A tree before the messages were JSON wants nothing acknowledged.
    """

    _count = 0
    _size = 0
    _speaks_json = False

    def data_received(self, data: bytes) -> None:
        received_us = now_us()
        if not self._is_open:
            head, separator, data = (self._rest + data).partition(b"\r\n\r\n")
            if not separator:
                self._rest = head
                return
            self._rest = b""
            if not head.startswith(b"HTTP/1.1 101"):
                self.transport.close()
                return
            self._is_open = True
            self.connected.set_result(None)
            if not data:
                return
        self.log.reads.append((received_us, data))
        data = self._rest + data if self._rest else data
        position = 0
        while (frame := frame_at(data, position)) is not None:
            opcode, start, end = frame
            if opcode == PING:
                self.transport.write(masked_frame(0xA, data[start:end]))
            elif opcode == TEXT:
                self._count += 1
                self._size += end - start
                self._speaks_json = data[start] == JSON_BEGINS
            position = end
        self._rest = data[position:]
        if self._size >= ACKNOWLEDGED_AFTER and self._speaks_json:
            self._size = 0
            self.transport.write(masked_frame(0x1, b'{"action":"shown","count":%d}' % self._count))
        whole = data[:position]  # a long answer's end takes many reads, and its mark stands at the beginning
        if any(mark in whole for mark in self._end_marks):
            self._end(received_us)


def masked_frame(opcode: int, payload: bytes) -> bytes:
    """A client's WebSocket frame, with the mask of zeros that leaves the payload as it is."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload


async def connect(plan: LoadPlan, streams: list[Stream]) -> list[Client]:
    """Open all connections, some at a time."""
    loop = asyncio.get_running_loop()
    slots = asyncio.Semaphore(CONNECT_AT_ONCE)
    kind = SocketClient if plan.door == "socket" else SseClient

    async def open_one(stream: Stream) -> Client:
        async with slots:
            connection = socket.socket()
            connection.setblocking(False)
            if stream.is_stalled:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_BUFFER)
            await loop.sock_connect(connection, ("127.0.0.1", plan.port))
            _, client = await loop.create_connection(lambda: kind(stream, plan), sock=connection)
            await asyncio.wait_for(client.connected, CONNECT_PATIENCE_S)
            return client

    return await asyncio.gather(*(open_one(stream) for stream in streams))


async def warm(plan: LoadPlan) -> None:
    """Ask once for each warm-up stream, one after another: clients and caches are made on first use."""
    for stream in plan.warm_streams:
        (client,) = await connect(plan, [stream])
        client.ask()
        await asyncio.wait_for(client.ended, CONNECT_PATIENCE_S)
        client.transport.close()


async def run(plan: LoadPlan) -> Outcome:
    """Carry out a plan."""
    loop = asyncio.get_running_loop()
    await warm(plan)
    readings: dict[str, Reading] = {"empty": plan.watched.read()}

    def read(name: str) -> None:
        readings[name] = plan.watched.read()

    clients = await connect(plan, plan.streams)
    read("connected")
    start = loop.time() + BEFORE_START_S
    for number, client in enumerate(clients):
        loop.call_at(start + plan.ramp_s * number / len(clients), client.ask)
    window = start + plan.ramp_s + plan.settle_s
    loop.call_at(window, read, "window")
    loop.call_at(window + plan.window_s, read, "window_end")
    waiting = [client.ended for client, stream in zip(clients, plan.streams, strict=True) if not stream.is_stalled]
    await asyncio.wait(waiting, timeout=window + plan.window_s + plan.patience_s - loop.time())
    await asyncio.sleep(max(0.0, window + plan.window_s + 0.05 - loop.time()))
    read("end")
    logs = [client.log for client, stream in zip(clients, plan.streams, strict=True) if not stream.is_stalled]
    for client in clients:
        client.transport.abort()
    return summarise(plan, logs, readings)


def main() -> None:
    plan = LoadPlan.from_json(sys.stdin.read())
    if plan.core is not None:
        os.sched_setaffinity(0, {plan.core})
    gc.disable()  # nothing here is cyclic, and a collection would look like lag
    outcome = uvloop.run(run(plan))
    json.dump(outcome.as_json(), sys.stdout)


if __name__ == "__main__":
    main()
