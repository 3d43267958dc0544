"""The socket of a session page, spoken to as a browser does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.sessions import keeping, services
from apps.sessions.engine.engine import Engine
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.talking import PROMPT, Talker

Begin = Callable[..., Invocation]


async def test_a_prompt_is_answered_frame_by_frame(pages: Any, talk: Session, talker: Talker, alice: User) -> None:
    page = await pages(talk, alice)
    await page.send(action="invoke", prompt=PROMPT)

    turn = await page.read_until("<article")
    assert f'class="prompt">{PROMPT}<' in turn and "is-running" in turn
    await page.read_until("In use. After the answer AgentCore keeps it")
    for word in ("first", "second", "third"):
        talker.say(f"{word} ")
        await page.read_until(word)  # before the agent says the next
    frames = [message for message in page.messages if message.startswith(("answer", "words"))]
    assert re.match(r"answer at=\S+\n<p dir=.auto.>first", frames[0])  # an empty one would hold the first token back
    states = [message for message in page.messages if message.startswith("state")]
    assert len(states) == 1 and "Streaming" in states[0]
    assert page.messages.index(states[0]) == page.messages.index(frames[0]) + 1
    talker.end()
    await page.read_until("^(end|finished)")
    final = next(message for message in reversed(page.messages) if "<article" in message)
    invocation = await Invocation.objects.aget()
    assert invocation.status == "completed" and "Completed" in final and "is-running" not in final
    assert "first second third" in final


async def test_a_second_viewer_sees_it_from_the_first_token_and_stop_reaches_both(
    pages: Any, talk: Session, talker: Talker, alice: User, carol: User
) -> None:
    first = await pages(talk, alice)
    await first.send(action="invoke", prompt=PROMPT)
    talker.say("What had arrived")
    await first.read_until("What had arrived")
    second = await pages(talk, carol)
    turn = await second.read_until("<article")
    assert "What had arrived" in turn  # is in the first message already

    await second.send(action="stop")
    for page in (first, second):
        await page.read_until("^(end|finished)")
        assert any("Stopped" in message for message in page.messages)
    assert (await Invocation.objects.aget()).status == "stopped"


async def test_a_run_started_elsewhere_appears_by_notice(
    pages: Any, running_engine: Engine, session: Session, begin: Begin, alice: User
) -> None:
    page = await pages(session, alice)
    await page.join()  # the look for a run that goes on already is over
    invocation = await sync_to_async(begin)(session=session, prompt="Started by the API")
    running_engine.launch(invocation)

    assert "Started by the API" in await page.read_until("<article")
    await page.read_until("^(end|finished)")


async def test_closing_the_page_does_not_stop_the_run(
    pages: Any, running_engine: Engine, talk: Session, talker: Talker, alice: User
) -> None:
    page = await pages(talk, alice)
    await page.send(action="invoke", prompt=PROMPT)
    await page.read_until("<article")
    await page.leave()
    stream = running_engine.stream((await Invocation.objects.aget()).pk)
    assert stream is not None and stream.task is not None
    talker.say("said to nobody")
    talker.end()
    await stream.task

    invocation = await Invocation.objects.aget()
    assert (invocation.status, invocation.response_text) == ("completed", "said to nobody")


async def test_a_second_prompt_while_answering_is_refused_and_not_lost(
    pages: Any, talk: Session, talker: Talker, alice: User
) -> None:
    page = await pages(talk, alice)
    await page.send(action="invoke", prompt=PROMPT)
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

    assert "field-error" in await page.read_until("^composer")
    assert await Invocation.objects.acount() == 0


@pytest.mark.parametrize("message", ["{", "[]", '"stop"', '{"action": "unknown"}', '{"action": ["invoke"]}'])
async def test_nonsense_is_ignored(pages: Any, session: Session, alice: User, message: str) -> None:
    page = await pages(session, alice)
    await page.socket.send_to(text_data=message)
    await page.send(action="invoke", prompt="")

    assert "field-error" in await page.read_until("^composer")


async def test_strangers_are_closed_and_not_told_why(pages: Any, session: Session, bob: User) -> None:
    stranger = await pages(session, bob)
    assert await stranger.close_code() == 4404
    nobody = await pages(session, AnonymousUser())
    assert await nobody.close_code() == 4401


async def test_a_new_measurement_is_signalled(pages: Any, session: Session, alice: User) -> None:
    from apps.core.notices.notices import notify  # noqa: PLC0415 -- stands for what the worker does in its own process

    page = await pages(session, alice)
    await page.join()
    await sync_to_async(notify)(session.topic, "measurement")

    await page.read_until("^measurement")


async def test_a_request_that_is_said_twice_is_one_run(pages: Any, session: Session, alice: User) -> None:
    request = {"action": "invoke", "prompt": "Two days in Ghent", "request_key": "k-1"}
    page = await pages(session, alice)
    await page.send(**request)
    await page.send(**request)
    await page.read_until("^accepted key=k-1")
    await page.read_until("^accepted key=k-1")
    if not any(message.startswith(("end", "finished")) for message in page.messages):
        await page.read_until("^(end|finished)")
    later = await pages(session, alice)  # the answer was lost with the connection, so the browser says it again
    await later.send(**request)
    await later.read_until("^accepted key=k-1")
    await later.send(**{**request, "prompt": "Something else"})
    assert "This was sent before with another content." in await later.read_until("field-error")

    assert await Invocation.objects.acount() == 1


async def test_two_pages_that_send_at_once_start_one_run_and_one_is_told(
    pages: Any, talk: Session, talker: Talker, alice: User
) -> None:
    first, second = await pages(talk, alice), await pages(talk, alice)
    await first.send(action="invoke", prompt="From the first", request_key="first")
    await second.send(action="invoke", prompt="From the second", request_key="second")
    await first.read_until("^(accepted|refused)")
    await second.read_until("^(accepted|refused)")

    outcomes = [re.findall("^(accepted|refused)", "\n".join(page.messages), re.MULTILINE) for page in (first, second)]
    assert sorted(outcomes) == [["accepted"], ["refused"]]
    refused = first if outcomes[0] == ["refused"] else second
    assert any("This session is answering." in message for message in refused.messages)
    assert await Invocation.objects.acount() == 1
    await first.send(action="stop")
    await first.read_until("^(end|finished)")


async def test_raw_json_is_sent_as_it_is_and_a_run_can_be_sent_again(
    pages: Any, session: Session, alice: User, emulator: Any
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", mode="json", payload='{"prompt": ')
    assert "It is not JSON: Expecting value (line 1, column 12)." in await page.read_until("field-error")
    payload = '{"prompt": "Two days", "style": "short"}'
    await page.send(action="invoke", mode="json", payload=payload, prompt="left from before")
    await page.read_until("^(end|finished)")
    first = await Invocation.objects.aget()
    await page.send(action="invoke", again=str(first.pk))
    await page.read_until("^(end|finished)")

    stored = [(run.prompt, run.payload) async for run in Invocation.objects.order_by("number")]
    assert stored == [("", payload)] * 2
    await page.send(action="invoke", again=str(first.pk + 99))
    assert "What was sent then is not known any more." in await page.read_until("field-error")


async def test_a_session_that_is_ended_or_deleted_tells_its_pages(
    pages: Any, session: Session, alice: User, emulator: Any
) -> None:
    page = await pages(session, alice)
    await page.send(action="invoke", prompt="Two days in Ghent")
    await page.read_until("^(end|finished)")
    await page.read_until("AgentCore keeps it until")
    await sync_to_async(services.end_session)(session=session)
    assert "AWS accepted the end of this session" in await page.read_until("AWS accepted")
    await sync_to_async(keeping.delete_session)(session=session)
    assert await page.close_code() == 4404
