"""An application behind the protocol class of a web process, on a loopback port and the loop of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from loom.web.protocol import BoundedProtocol

PATIENCE_S = 60.0
READ_LIMIT = 4096  # a reader that waits keeps so much, and the system a little


@dataclass(frozen=True)
class Served:
    port: int
    state: ServerState
    callers: list[Caller] = field(default_factory=list)

    @property
    def unread_bytes(self) -> int:
        """What the server itself keeps for readers who do not read."""
        return sum(connection.transport.get_write_buffer_size() for connection in self.state.connections)


@asynccontextmanager
async def serving(app: Any, protocol: type[HttpToolsProtocol] = BoundedProtocol) -> AsyncIterator[Served]:
    """Serve requests, without the lifespan; at the end all of them have ended."""
    config = Config(app, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    served = Served(server.sockets[0].getsockname()[1], state)
    try:
        yield served
    finally:
        server.close()
        for caller in served.callers:
            caller.cut()
        for connection in list(state.connections):
            connection.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            while state.tasks:
                await asyncio.wait(set(state.tasks))
            while state.connections:  # noqa: ASYNC110 -- the loop tells each of its end
                await asyncio.sleep(0)


class Caller:
    """A client that sends bytes and reads when it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def call(cls, served: Served, request: bytes) -> Caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=READ_LIMIT)
        writer.write(request)
        await writer.drain()
        caller = cls(reader, writer)
        served.callers.append(caller)
        return caller

    async def all(self) -> bytes:
        """Everything to the end of the connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def body(self) -> bytes:
        """The body of an answer that comes in chunks, to the one that ends it."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ") and b"transfer-encoding: chunked" in head.lower(), head
            return b"".join([part async for part in self.parts()])

    async def parts(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        assert await self.reader.readexactly(2) == b"\r\n"

    def cut(self) -> None:
        """Leave without a word."""
        self.writer.transport.abort()
