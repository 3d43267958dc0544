"""The socket of a session page, spoken to as a browser does."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.core.notices import Tail
from apps.sessions.live import Engine
from apps.sessions.models import Invocation, Session
from apps.sessions.routing import websocket_urlpatterns

Begin = Callable[..., Invocation]


class Page:
    """A viewer: connects to a session's socket and keeps every message."""

    def __init__(self, session: Session, user: User | AnonymousUser) -> None:
        application: Any = URLRouter(websocket_urlpatterns)
        self.socket = WebsocketCommunicator(application, f"/ws/sessions/{session.public_id}/")
        scope: Any = self.socket.scope
        scope["user"] = user
        self.messages: list[str] = []

    async def open(self) -> None:
        connected, _ = await self.socket.connect()
        assert connected

    async def send(self, **message: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(message))

    async def read_until(self, pattern: str) -> str:
        """Read on to the message in which `pattern` is found."""
        while True:
            message = str(await self.socket.receive_from(timeout=20))
            self.messages.append(message)
            if re.search(pattern, message):
                return message

    async def close_code(self) -> int:
        output = await self.socket.receive_output(timeout=5)
        assert output["type"] == "websocket.close"
        return int(output["code"])


@pytest_asyncio.fixture
async def pages(running_engine: Engine) -> AsyncIterator[Callable[..., Any]]:
    """Open viewers; all are closed at the end."""
    opened: list[Page] = []

    async def open_page(session: Session, user: User | AnonymousUser) -> Page:
        page = Page(session, user)
        opened.append(page)
        await page.open()
        return page

    async with Tail(every_s=0.05):
        yield open_page
        for page in opened:
            await page.socket.disconnect()


@pytest.fixture
def session(begin: Begin) -> Session:
    invocation = begin()
    session = invocation.session
    Invocation.objects.all().delete()
    return session


async def test_a_prompt_is_answered_frame_by_frame(pages: Any, session: Session, alice: User) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", prompt="Two days in Ghent")

    turn = await page.read_until("<article")
    assert 'hx-swap-oob="true"' in turn and "Two days in Ghent" in turn and "is-running" in turn
    await page.read_until(r'id="stop-form"')
    await page.read_until('data-kind="finished"')
    frames = [
        message
        for message in page.messages
        if re.search("-(tail|growth)\" [^>]*hx-swap-oob", message) and "<article" not in message
    ]
    assert len(frames) > 5
    final = next(message for message in reversed(page.messages) if "<article" in message)
    invocation = await Invocation.objects.aget()
    assert invocation.status == "completed" and "Completed" in final and "is-running" not in final
    assert "Picking up" in final or "Ghent" in final


async def test_a_second_viewer_sees_it_from_the_first_token_and_stop_reaches_both(
    pages: Any, session: Session, alice: User, carol: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=60)  # so that the run is still going on
    first = await pages(session, alice)
    await first.send(action="invoke", prompt="Two days in Ghent")
    await first.read_until('-tail" class="md" hx-swap-oob="true" data-at="[0-9a-f:]+"><p>')
    second = await pages(session, carol)
    turn = await second.read_until("<article")
    assert "You asked" in turn  # what had arrived is in the first message already

    await second.send(action="stop")
    for page in (first, second):
        await page.read_until('data-kind="finished"')
        assert any("Stopped" in message for message in page.messages)
    assert (await Invocation.objects.aget()).status == "stopped"


async def test_a_run_started_elsewhere_appears_by_notice(
    pages: Any, running_engine: Engine, session: Session, begin: Begin, alice: User
) -> None:
    page = await pages(session, alice)
    # An answer to anything shows that connecting is over, and with it the look for a run that goes on already.
    await page.send(action="invoke", prompt="")
    await page.read_until('id="composer"')
    invocation = await sync_to_async(begin)(session=session, prompt="Started by the API")
    running_engine.launch(invocation)

    assert "Started by the API" in await page.read_until("<article")
    await page.read_until('data-kind="finished"')


async def test_closing_the_page_does_not_stop_the_run(
    pages: Any, running_engine: Engine, session: Session, alice: User
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", prompt="Two days in Ghent")
    await page.read_until("<article")
    await page.socket.disconnect()
    invocation = await Invocation.objects.aget()
    stream = running_engine.stream(invocation.pk)
    assert stream is not None and stream.task is not None
    await stream.task

    assert (await Invocation.objects.aget()).status == "completed"


async def test_a_second_prompt_while_answering_is_refused_and_not_lost(
    pages: Any, session: Session, alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=60)
    page = await pages(session, alice)
    await page.send(action="invoke", prompt="Two days in Ghent")
    await page.read_until("<article")
    await page.send(action="invoke", prompt="And another thing")

    refused = await page.read_until("This session is answering. Wait")
    assert "And another thing" in refused
    assert await Invocation.objects.acount() == 1


@pytest.mark.parametrize("prompt", ["", "   \n", "x" * 100_001])
async def test_a_prompt_that_cannot_be_sent_comes_back_with_the_reason(
    pages: Any, session: Session, alice: User, prompt: str
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", prompt=prompt)

    assert "field-error" in await page.read_until('id="composer"')
    assert await Invocation.objects.acount() == 0


@pytest.mark.parametrize("message", ["{", "[]", '"stop"', '{"action": "unknown"}', '{"action": ["invoke"]}'])
async def test_nonsense_is_ignored(pages: Any, session: Session, alice: User, message: str) -> None:
    page = await pages(session, alice)
    await page.socket.send_to(text_data=message)
    await page.send(action="invoke", prompt="")

    assert "field-error" in await page.read_until('id="composer"')


async def test_strangers_are_closed_and_not_told_why(pages: Any, session: Session, bob: User) -> None:
    stranger = await pages(session, bob)
    assert await stranger.close_code() == 4404
    nobody = await pages(session, AnonymousUser())
    assert await nobody.close_code() == 4401


async def test_a_new_measurement_is_signalled(pages: Any, session: Session, alice: User) -> None:
    from apps.core.notices import notify  # noqa: PLC0415 -- stands for what the worker does in its own process

    page = await pages(session, alice)
    await sync_to_async(notify)(session.topic, "measurement")

    assert 'data-kind="measurement"' in await page.read_until("signals")
