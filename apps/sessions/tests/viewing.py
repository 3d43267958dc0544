"""Viewers of a session's socket: one that does what a browser does, and one that does not read."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from apps.accounts.models import User
from apps.accounts.sign_in.ways import SignIn
from apps.core.requests.direct_write import EXTENSION
from apps.sessions.models import Session
from apps.sessions.tests.reading import answer_of, place_of, readable
from apps.sessions.tests.waiting import PATIENCE_S
from apps.sessions.viewing.consumer import SessionConsumer
from apps.sessions.viewing.routing import websocket_urlpatterns

GOES_ON = "^(turn|answer|words)"


def text_of(frame: bytes) -> str:
    """What a client reads from a ready frame, which is one whole message."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    client.receive_data(frame)
    [message] = client.events_received()
    assert client.parser_exc is None and message.opcode is Opcode.TEXT and message.fin  # type: ignore[union-attr]
    return bytes(message.data).decode()  # type: ignore[union-attr]


class Screen:
    """What a viewer was sent: every message, and what its page shows after each place."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.place = ""
        self.answer = ""
        self.answers: dict[str, str] = {}

    @property
    def position(self) -> int:
        """The number of the newest event that it shows."""
        return int(self.place.rpartition(":")[2] or 0)

    async def receive(self) -> str:
        raise NotImplementedError

    async def read_until(self, pattern: str) -> str:
        """Read on to the message in which `pattern` is found."""
        while True:
            text = await self.receive()
            message = readable(text)
            self.messages.append(message)
            self._show(text)
            if re.search(pattern, message):
                return message

    def _show(self, text: str) -> None:
        """Do what a browser does with a message about a running answer."""
        if place := place_of(text):
            self.place, self.answer = place, answer_of(text, self.answer)
            self.answers[self.place] = self.answer

    async def read_to_event(self, sequence: int) -> None:
        """Read on until the page shows the event of that number."""
        while self.position < sequence:
            await self.read_until(GOES_ON)


sockets: Any = URLRouter(websocket_urlpatterns)


class Page(Screen):
    """A viewer: connects to a session's socket and reads whenever it is asked to."""

    def __init__(self, session: Session, user: User | AnonymousUser, query: str = "") -> None:
        super().__init__()
        self.path = f"/ws/sessions/{session.public_id}/?{query}"
        self.socket = WebsocketCommunicator(sockets, self.path)
        scope: Any = self.socket.scope
        scope["user"] = user
        scope["sign_in"] = SignIn(user.pk) if isinstance(user, User) else None

    def take_ready_frames(self) -> None:
        """From a server that knows more than ASGI; before the page opens."""
        scope: Any = self.socket.scope
        scope["extensions"] = {EXTENSION: self._take_frame}

    def _take_frame(self, frame: bytes) -> bool:
        self.socket.output_queue.put_nowait({"type": "websocket.send", "text": text_of(frame)})
        return True

    async def open(self) -> None:
        connected, _ = await self.socket.connect(timeout=PATIENCE_S)
        assert connected

    async def join(self) -> None:
        """Wait until connecting is over: it shows what there was, and hears of everything from here on."""
        await self.send(action="invoke", prompt="")
        await self.read_until("^refused")

    async def leave(self) -> None:
        await self.socket.disconnect(timeout=PATIENCE_S)

    async def send(self, **message: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(message))

    async def receive(self) -> str:
        return str(await self.socket.receive_from(timeout=PATIENCE_S))

    async def close_code(self) -> int:
        """Read on to the end; the code that it was closed with."""
        while (output := await self.socket.receive_output(timeout=PATIENCE_S))["type"] == "websocket.send":
            self.messages.append(readable(output["text"]))
        assert output["type"] == "websocket.close"
        return int(output["code"])


class SlowViewer(Screen):
    """A viewer whose browser stops reading: the server holds `send` back, as uvicorn does with a full buffer."""

    def __init__(
        self, consumer: type[SessionConsumer], session: Session, user: User, *, takes_ready_frames: bool = False
    ) -> None:
        super().__init__()
        self.reads = asyncio.Event()
        self.reads.set()
        self._arrived: asyncio.Queue[str] = asyncio.Queue()
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        scope: Any = {
            "type": "websocket", "user": user, "sign_in": SignIn(user.pk), "path": "/", "headers": [],
            "query_string": b"", "url_route": {"args": (), "kwargs": {"public_id": session.public_id}},
        }  # fmt: skip
        if takes_ready_frames:
            scope["extensions"] = {EXTENSION: self._take_frame}
        application: Any = consumer.as_asgi()
        self.task = asyncio.ensure_future(application(scope, self._inbox.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        if message["type"] == "websocket.send":
            self._arrived.put_nowait(message["text"])

    def _take_frame(self, frame: bytes) -> bool:
        if self.reads.is_set():
            self._arrived.put_nowait(text_of(frame))
        return self.reads.is_set()

    async def receive(self) -> str:
        return await asyncio.wait_for(self._arrived.get(), PATIENCE_S)

    def send(self, **message: Any) -> None:
        self._inbox.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def leave(self) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self.task, PATIENCE_S)


async def read_to_common_place(one: Screen, other: Screen, *, after: int) -> str:
    """Let both read on until they have shown one and the same place, of that event or a later one; that place.

    A late viewer begins between two frames, so that not every place of one is a place of the other.
    """
    while True:
        common = [place for place in one.answers.keys() & other.answers if int(place.rpartition(":")[2]) >= after]
        if common:
            return common[0]
        await min(one, other, key=lambda screen: screen.position).read_until(GOES_ON)


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for a condition, at most a minute."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_true():  # noqa: ASYNC110 -- of things that set no event
            await asyncio.sleep(0.01)
