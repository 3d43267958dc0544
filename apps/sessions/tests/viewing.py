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

from apps.accounts.models import User
from apps.sessions.consumers import SessionConsumer
from apps.sessions.events import answer_text
from apps.sessions.live import Engine
from apps.sessions.models import Invocation, Session
from apps.sessions.routing import websocket_urlpatterns


def answer_of(message: str, answer: str) -> str:
    """What a browser shows of an answer after a message: its closed part and its open end, as one text."""
    if message.lstrip().startswith("<article"):
        found = re.search(
            r'-output" class="md">(.*?)</div>\s*<div id="[^"]*-tail" class="md">(.*?)</div>', message, re.S
        )
        assert found is not None
        return f"{found[1]}|{found[2]}"
    if words := re.match(
        r'<span id="([^"]*-growth)" hx-swap-oob="beforeend" data-at="[^"]*">(.*)</span>$', message, re.S
    ):
        return re.sub(rf'(<span id="{words[1]}">[^<]*)', lambda growth: growth[1] + words[2], answer)
    closed, _ = answer.split("|")
    tail = re.match(r'<div id="[^"]*-tail" class="md" hx-swap-oob="true" data-at="[^"]*">(.*?)</div>', message, re.S)
    more = re.search(r'<div id="[^"]*-output" hx-swap-oob="beforeend">(.*?)</div>$', message, re.S)
    assert tail is not None
    return f"{closed}{more[1] if more else ''}|{tail[1]}"


class Page:
    """A viewer: connects to a session's socket, keeps every message and what the page shows after each place."""

    def __init__(self, session: Session, user: User | AnonymousUser, query: str = "") -> None:
        application: Any = URLRouter(websocket_urlpatterns)
        self.socket = WebsocketCommunicator(application, f"/ws/sessions/{session.public_id}/?{query}")
        scope: Any = self.socket.scope
        scope["user"] = user
        self.messages: list[str] = []
        self.place = ""
        self.answer = ""
        self.answers: dict[str, str] = {}

    async def open(self) -> None:
        connected, _ = await self.socket.connect()
        assert connected

    async def send(self, **message: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(message))

    async def read_until(self, pattern: str) -> str:
        """Read on to the message in which `pattern` is found."""
        while True:
            message = str(await self.socket.receive_from(timeout=60))
            self.messages.append(message)
            self.show(message)
            if re.search(pattern, message):
                return message

    def show(self, message: str) -> None:
        """Do what a browser does with a message about a running answer."""
        if place := re.match(r'\s*<[a-z]+ [^>]*data-at="([^"]*)"', message):
            self.place, self.answer = place[1], answer_of(message, self.answer)
            self.answers[self.place] = self.answer

    async def read_to_event(self, sequence: int) -> None:
        """Read on until the page shows the event of that number."""
        while int(self.place.rpartition(":")[2] or 0) < sequence:
            await self.read_until("data-at")

    async def close_code(self) -> int:
        output = await self.socket.receive_output(timeout=5)
        assert output["type"] == "websocket.close"
        return int(output["code"])


class SlowViewer:
    """A viewer whose browser stops reading: the server holds `send` back, as uvicorn does with a full buffer."""

    def __init__(self, consumer: type[SessionConsumer], session: Session, user: User) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.texts: list[str] = []
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.inbox.put_nowait({"type": "websocket.connect"})
        scope: Any = {
            "type": "websocket", "user": user, "query_string": b"", "headers": [], "path": "/",
            "url_route": {"args": (), "kwargs": {"public_id": session.public_id}},
        }  # fmt: skip
        application: Any = consumer.as_asgi()
        self.task = asyncio.ensure_future(application(scope, self.inbox.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        if message["type"] == "websocket.send":
            self.texts.append(message["text"])

    async def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self.task, 60)


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for a condition, at most a minute."""
    async with asyncio.timeout(60):
        while not is_true():  # noqa: ASYNC110 -- of things that set no event
            await asyncio.sleep(0.01)


async def most_of_it(engine: Engine) -> int:
    """Wait until the agent has said much of its answer; the number of events by then."""
    stream = engine.stream((await Invocation.objects.aget()).pk)
    assert stream is not None
    await until(lambda: len(answer_text(stream.events)) > 250)
    return len(stream.events)
