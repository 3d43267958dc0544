"""The socket of a session page, spoken to as a browser does."""

from __future__ import annotations

import asyncio
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
from apps.sessions import services
from apps.sessions.broadcast import Frame
from apps.sessions.consumers import Outbox, SessionConsumer
from apps.sessions.events import answer_text
from apps.sessions.live import Engine, follow
from apps.sessions.models import Invocation, Session
from apps.sessions.routing import websocket_urlpatterns

Begin = Callable[..., Invocation]


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


@pytest_asyncio.fixture
async def pages(running_engine: Engine) -> AsyncIterator[Callable[..., Any]]:
    """Open viewers; all are closed at the end."""
    opened: list[Page] = []

    async def open_page(session: Session, user: User | AnonymousUser, query: str = "") -> Page:
        page = Page(session, user, query)
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
        if re.search('-(tail|growth)" [^>]*hx-swap-oob', message) and "<article" not in message
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


async def test_a_page_that_was_cut_off_gets_exactly_what_it_lacks(
    pages: Any, running_engine: Engine, session: Session, alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=90, seconds=1200)
    steady = await pages(session, alice)
    await steady.send(action="invoke", prompt="Two days in Ghent")
    await steady.read_to_event(3)
    cut = await pages(session, alice)
    await cut.read_to_event(3)
    await cut.socket.disconnect()
    last_event = await most_of_it(running_engine)
    await steady.read_to_event(last_event)

    again = await pages(session, alice, f"last=0&composer=0&at={cut.place}")
    again.answer = cut.answer
    await again.read_to_event(last_event)
    assert "<article" not in "".join(again.messages)
    last = max(set(again.answers) & set(steady.answers), key=lambda place: int(place.rpartition(":")[2]))
    assert again.answers[last] == steady.answers[last] != ""
    assert all(answer == steady.answers[at] for at, answer in again.answers.items() if at in steady.answers)

    # From another process, or from before a restart: nobody knows what it shows.
    elsewhere = await pages(session, alice, f"last=0&composer=0&at={cut.place.replace(':', ':f', 1)}")
    await elsewhere.read_to_event(last_event)
    assert "<article" in elsewhere.messages[0]
    assert elsewhere.answer == steady.answers[elsewhere.place]
    await steady.send(action="stop")
    for page in (steady, again, elsewhere):
        assert "Stopped" in await page.read_until("<article")


async def test_a_page_that_was_away_at_the_end_is_shown_it_and_one_that_lacks_nothing_hears_nothing(
    pages: Any, session: Session, alice: User
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", prompt="Two days in Ghent")
    await page.read_to_event(3)
    await page.socket.disconnect()
    invocation = await Invocation.objects.aget()
    async for _ in follow(invocation.pk):
        pass

    back = await pages(session, alice, f"last={invocation.pk}&composer={invocation.pk}&at={page.place}")
    await back.read_until('data-kind="finished"')
    assert "Completed" in back.messages[0] and "is-running" not in back.messages[0]
    assert 'data-running="0"' in back.messages[1]
    idle = await pages(session, alice, f"last={invocation.pk}&composer=0")
    await idle.send(action="invoke", prompt="")
    await idle.read_until('data-kind="refused"')
    assert len(idle.messages) == 2 and "Type a prompt." in idle.messages[0]
    missed = await pages(session, alice, "last=0&composer=0&at=nonsense&at=99999:ab:1")
    assert "Completed" in await missed.read_until("<article")


async def test_a_request_that_is_said_twice_is_one_run(pages: Any, session: Session, alice: User) -> None:
    request = {"action": "invoke", "prompt": "Two days in Ghent", "request_key": "k-1"}
    page = await pages(session, alice)
    await page.send(**request)
    await page.send(**request)
    await page.read_until('data-kind="accepted" data-number="0" data-key="k-1"')
    await page.read_until('data-kind="accepted" data-number="0" data-key="k-1"')
    if not any('data-kind="finished"' in message for message in page.messages):
        await page.read_until('data-kind="finished"')
    later = await pages(session, alice)  # the answer was lost with the connection, so the browser says it again
    await later.send(**request)
    await later.read_until('data-key="k-1"')
    await later.send(**{**request, "prompt": "Something else"})
    assert "This was sent before with another content." in await later.read_until("field-error")

    assert await Invocation.objects.acount() == 1


async def test_two_pages_that_send_at_once_start_one_run_and_one_is_told(
    pages: Any, session: Session, alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=1200)
    first, second = await pages(session, alice), await pages(session, alice)
    await first.send(action="invoke", prompt="From the first", request_key="first")
    await second.send(action="invoke", prompt="From the second", request_key="second")
    await first.read_until('data-kind="(accepted|refused)"')
    await second.read_until('data-kind="(accepted|refused)"')

    outcomes = [re.findall('data-kind="(accepted|refused)"', "".join(page.messages)) for page in (first, second)]
    assert sorted(outcomes) == [["accepted"], ["refused"]]
    refused = first if outcomes[0] == ["refused"] else second
    assert any("This session is answering." in message for message in refused.messages)
    assert await Invocation.objects.acount() == 1
    await first.send(action="stop")
    await first.read_until('data-kind="finished"')


async def test_raw_json_is_sent_as_it_is_and_a_run_can_be_sent_again(
    pages: Any, session: Session, alice: User, emulator: Any
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", mode="json", payload='{"prompt": ')
    assert "It is not JSON: Expecting value (line 1, column 12)." in await page.read_until("field-error")
    payload = '{"prompt": "Two days", "style": "short"}'
    await page.send(action="invoke", mode="json", payload=payload, prompt="left from before")
    await page.read_until('data-kind="finished"')
    first = await Invocation.objects.aget()
    await page.send(action="invoke", again=str(first.pk))
    await page.read_until('data-kind="finished"')

    stored = [(run.prompt, run.payload) async for run in Invocation.objects.order_by("number")]
    assert stored == [("", payload)] * 2
    await page.send(action="invoke", again=str(first.pk + 99))
    assert "What was sent then is not known any more." in await page.read_until("field-error")


async def test_a_session_that_is_ended_or_deleted_tells_its_pages(
    pages: Any, session: Session, alice: User, emulator: Any
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", prompt="Two days in Ghent")
    await page.read_until('data-kind="finished"')
    assert "AgentCore keeps it until" in "".join(page.messages)
    await sync_to_async(services.end_session)(session=session)
    assert "AWS accepted the end of this session" in await page.read_until("AWS accepted")
    await sync_to_async(services.delete_session)(session=session)
    assert await page.close_code() == 4404


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


class NarrowConsumer(SessionConsumer):
    outbox_limit = 300


class ImpatientConsumer(SessionConsumer):
    stalled_s = 0.05


async def test_a_viewer_that_does_not_read_holds_nobody_up_and_catches_up(
    pages: Any, running_engine: Engine, session: Session, alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=90, seconds=1200)
    healthy = await pages(session, alice)
    await healthy.send(action="invoke", prompt="Two days in Ghent")
    await healthy.read_to_event(3)
    slow = SlowViewer(NarrowConsumer, session, alice)
    await until(lambda: bool(slow.texts))
    slow.reads.clear()
    await healthy.read_to_event(await most_of_it(running_engine))
    assert "article" not in "".join(slow.texts[1:])

    slow.reads.set()
    shown = Page(session, alice)
    await until(lambda: any(f'data-at="{healthy.place}"' in text for text in slow.texts))
    for text in slow.texts:
        shown.show(text)
    assert shown.answers[healthy.place] == healthy.answer
    assert len(slow.texts) < len(healthy.messages)  # what it had missed came as one
    await healthy.send(action="stop")
    await healthy.read_until('data-kind="finished"')
    await until(lambda: any("Stopped" in text for text in slow.texts))
    await slow.leave()


async def test_a_viewer_that_never_reads_again_is_given_up(
    pages: Any, running_engine: Engine, session: Session, alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=90, seconds=1200)
    healthy = await pages(session, alice)
    await healthy.send(action="invoke", prompt="Two days in Ghent")
    await healthy.read_to_event(3)
    stalled = SlowViewer(ImpatientConsumer, session, alice)
    await until(lambda: bool(stalled.texts))
    stalled.reads.clear()

    await asyncio.wait_for(stalled.task, 60)  # the server drops the connection of a consumer that has ended
    await healthy.read_to_event(await most_of_it(running_engine))
    await healthy.send(action="stop")
    await healthy.read_until('data-kind="finished"')


def test_an_outbox_holds_a_bounded_amount_and_then_asks_for_a_catch_up() -> None:
    outbox = Outbox(10)
    outbox.put(Frame("a" * 50))  # a whole turn may be larger than all
    assert (outbox.has_overflowed, outbox.take().html) == (False, "a" * 50)
    outbox.put(Frame("b" * 6))
    outbox.put(Frame("c" * 6))
    outbox.put(Frame("d"))

    assert (outbox.has_overflowed, bool(outbox)) == (True, False)
    outbox.clear()
    outbox.put(Frame("e"))
    assert [outbox.take().html, bool(outbox), outbox.has_overflowed] == ["e", False, False]
