"""An agent that says what a test wants, when the test wants it: nothing then hangs on how fast a machine is."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

PROMPT = "go"


class Talker:
    """AgentCore reduced to a socket, of which every answer is dictated. What is said before it was asked is kept."""

    def __init__(self) -> None:
        self._pieces: defaultdict[str, asyncio.Queue[str | None]] = defaultdict(asyncio.Queue)
        self._server: asyncio.Server | None = None

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """A talker that listens; at the end whatever it has not ended breaks off."""
        talker = cls()
        talker._server = await asyncio.start_server(talker._serve, "127.0.0.1", 0)
        yield talker
        for pieces in talker._pieces.values():
            pieces.put_nowait(None)
        talker._server.close()
        await talker._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def say(self, *pieces: str, to: str = PROMPT) -> None:
        """Say this in the answer to a prompt. Pieces that are said at once may arrive as one."""
        for piece in pieces:
            self._pieces[to].put_nowait(piece)

    def end(self, to: str = PROMPT) -> None:
        """End the answer to a prompt."""
        self._pieces[to].put_nowait(None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        pieces = self._pieces[json.loads(await reader.readexactly(int(length.partition(b":")[2])))["prompt"]]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        caller_left = asyncio.ensure_future(reader.read())
        while True:
            piece = asyncio.ensure_future(pieces.get())
            await asyncio.wait([piece, caller_left], return_when=asyncio.FIRST_COMPLETED)
            if not piece.done():
                piece.cancel()  # it is for whoever asks the same again
                break
            if (text := piece.result()) is None:
                break
            writer.write(f"data: {json.dumps(text)}\n\n".encode())
        writer.close()
        caller_left.cancel()
        await asyncio.gather(caller_left, return_exceptions=True)
