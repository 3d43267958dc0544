"""Pages that send a prompt once more, and the list of what waits: as forms, without any script."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.sessions.engine.engine import Engine, follow
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.invoking import Request, invoke, start_invocation
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.sessions.services import start_session
from apps.sessions.typed_ahead import add_prompt

MakeSession = Callable[..., Session]


async def over(run: Invocation) -> Invocation:
    async for _ in follow(run.pk):
        pass
    return await Invocation.objects.select_related("session__agent").aget(pk=run.pk)


@pytest.fixture
async def page(running_engine: Engine, alice: User) -> AsyncClient:
    client = AsyncClient()
    await sync_to_async(client.force_login)(alice)
    return client


@pytest.fixture
async def run(running_engine: Engine, demo_agent: Callable[[str], Agent], alice: User) -> Invocation:
    agent = await sync_to_async(demo_agent)("travel_concierge")
    session = await sync_to_async(start_session)(agent=agent, owner=alice, title="Ghent")
    return await over(await sync_to_async(invoke)(session=session, prompt="Two days in <Ghent>"))


def again_url(run: Invocation) -> str:
    return reverse("sessions:again", args=[run.session.public_id, run.number])


async def test_the_page_of_a_run_offers_what_can_be_done_with_it(page: AsyncClient, run: Invocation) -> None:
    shown = (await page.get(again_url(run))).content.decode()
    for words in ("Copy prompt", "Run again here", "Run again in a fresh session", "Run in a new session"):
        assert words in shown
    assert 'data-copy="Two days in &lt;Ghent&gt;"' in shown and "travel_concierge · prod" in shown
    part = (await page.get(again_url(run), headers={"HX-Request": "true"})).content.decode()
    assert part.strip().startswith('<div id="again-panel"') and "<html" not in part
    keys = re.findall(r'name="request_key" value="([^"]+)"', part)
    assert len(set(keys)) == len(keys) == 3


async def test_the_menu_of_a_turn_fetches_what_can_be_done_with_it(
    page: AsyncClient, run: Invocation, bob: User
) -> None:
    shown = (await page.get(run.session.get_absolute_url())).content.decode()
    found = re.search(r'<summary [^>]*hx-get="([^"]+/menu/)"[^>]*hx-target="next .menu-list"', shown)
    assert found is not None and f'<div class="menu-list"><a href="{again_url(run)}">' in shown

    menu = (await page.get(found[1])).content.decode()
    assert 'data-copy="Two days in &lt;Ghent&gt;"' in menu
    for words in ("Run again here", "in a fresh session", "Edit and run", "another agent", "Timeline", "Take it out"):
        assert words in menu
    assert f"{run.session.get_absolute_url()}take-out/?run=1#run" in menu
    keys = re.findall(r'name="where" value="(\w+)"><input type="hidden" name="request_key" value="([^"]+)"', menu)
    for where, key in keys:
        assert (await page.post(again_url(run), {"where": where, "request_key": key})).status_code == 302
        await over(await Invocation.objects.select_related("session").alatest("pk"))
    assert [where for where, _ in keys] == ["here", "fresh"] and await Invocation.objects.acount() == 3

    await sync_to_async(page.force_login)(bob)
    assert (await page.get(found[1])).status_code == 404


async def test_again_here_and_in_a_fresh_session_each_once_however_often_it_is_pressed(
    page: AsyncClient, run: Invocation
) -> None:
    for where in ("here", "fresh"):
        for _ in range(2):
            sent = {"where": where, "request_key": f"key {where}"}
            assert (await page.post(again_url(run), sent)).status_code == 302
        repeated = await over(await Invocation.objects.select_related("session").alatest("pk"))
        assert (repeated.repeated_from_id, repeated.session_id == run.session_id) == (run.pk, where == "here")
    assert await Invocation.objects.acount() == 3

    here = (await page.get(run.session.get_absolute_url())).content.decode()
    assert f'Repeated from <a class="link" href="{reverse("sessions:run", args=[run.pk])}">run 1</a>' in here
    fresh = (await page.get(repeated.session.get_absolute_url())).content.decode()
    assert f'href="{reverse("sessions:run", args=[run.pk])}">run 1 of Ghent</a>' in fresh
    back = (await page.get(again_url(run))).content.decode()
    assert f'href="{reverse("sessions:run", args=[repeated.pk])}"' in back
    place = await page.get(reverse("sessions:run", args=[run.pk]))
    assert place["Location"] == f"{run.session.get_absolute_url()}#invocation-{run.pk}"


async def test_edited_and_on_another_endpoint(page: AsyncClient, run: Invocation) -> None:
    target = f"{run.session.agent_id}:prod"
    sent = {"where": "elsewhere", "prompt": "Three days", "target": target, "request_key": "k"}
    answer = await page.post(again_url(run), sent)
    edited = await over(await Invocation.objects.select_related("session").alatest("pk"))
    assert answer["Location"] == edited.session.get_absolute_url()
    assert (edited.prompt, edited.session.qualifier, edited.repeated_from_id) == ("Three days", "prod", run.pk)

    for wrong, reason in (({"prompt": " "}, "Type a prompt."), ({"target": "1:nowhere"}, "Select a valid choice")):
        refused = await page.post(again_url(run), {**sent, "request_key": "n", **wrong})
        assert refused.status_code == 422 and reason in refused.content.decode()
    assert await Invocation.objects.acount() == 2


async def test_with_what_came_before(page: AsyncClient, run: Invocation) -> None:
    second = await over(await sync_to_async(invoke)(session=run.session, prompt="And in the rain?"))
    shown = (await page.get(again_url(second))).content.decode()
    assert "First send the prompt before it again." in shown and "starts without memory" in shown
    await page.post(again_url(second), {"where": "elsewhere", "prompt": "And in the snow?", "has_earlier": "on"})

    fresh = await Session.objects.alatest("pk")
    first = await Invocation.objects.aget(session=fresh)
    waiting = await QueuedPrompt.objects.aget(session=fresh)
    assert (first.prompt, first.status, waiting.text) == (run.prompt, "queued", "And in the snow?")


async def test_a_session_that_answers_lets_the_prompt_wait(page: AsyncClient, run: Invocation, emulator: Any) -> None:
    emulator.order(kind="silence", after_chunks=2, seconds=3_600)
    await sync_to_async(invoke)(session=run.session, prompt="Go on")
    assert "when this session is free" in (await page.get(again_url(run))).content.decode()
    await page.post(again_url(run), {"where": "here"})
    assert (await QueuedPrompt.objects.aget()).repeated_from_id == run.pk
    shown = (await page.get(run.session.get_absolute_url())).content.decode()
    assert "1 prompt waits." in shown

    # What is typed while it answers waits as well, in the same form as any other prompt.
    typed = {"prompt": "And on Monday?", "later": "1", "request_key": "k"}
    for _ in range(2):
        url = reverse("sessions:invoke", args=[run.session.public_id])
        assert (await page.post(url, typed)).status_code == 302
    assert [prompt.text async for prompt in QueuedPrompt.objects.order_by("position")] == [run.prompt, "And on Monday?"]


def test_what_waits_is_moved_edited_removed_and_let_go_by_forms(
    client: Client, make_session: MakeSession, alice: User
) -> None:
    session = make_session()
    running = start_invocation(session=session, prompt="Go", process_id=None)
    one, two, _ = (add_prompt(session=session, request=Request(text)) for text in ("one", "<b>two</b>", "three"))
    client.force_login(alice)
    url = reverse("sessions:queue-fragment", args=[session.public_id])

    def texts(answer: Any) -> list[str]:
        return re.findall(r'<span class="excerpt" dir="auto">(.*?)</span>', answer.content.decode())

    def do(action: str, prompt: Any = None, **headers: str) -> Any:
        sent = {"action": action} if prompt is None else {"action": action, "prompt": prompt.pk}
        return client.post(url, sent, headers={"HX-Request": "true", **headers})

    assert texts(do("up", two)) == ["&lt;b&gt;two&lt;/b&gt;", "one", "three"]
    assert texts(do("down", one)) == ["&lt;b&gt;two&lt;/b&gt;", "three", "one"]
    assert texts(do("remove", two)) == ["three", "one"]
    assert "does not wait any more" in do("remove", two).content.decode()
    plain = client.post(url, {"action": "up", "prompt": one.pk})
    assert plain["Location"] == session.get_absolute_url()

    edit = reverse("sessions:queued-prompt", args=[session.public_id, one.pk])
    assert ">\none</textarea>" in client.get(edit).content.decode()
    assert client.post(edit, {"text": "  "}).status_code == 422
    assert client.post(edit, {"text": "one, said better"})["Location"] == session.get_absolute_url()
    assert texts(client.get(session.get_absolute_url())) == ["one, said better", "three"]

    finish_invocation(None, Pending(running.pk, []), status="stopped", completed_at=timezone.now())
    held = client.get(session.get_absolute_url()).content.decode()
    assert "2 prompts are held, because the answer was stopped." in held
    assert texts(do("send")) == ["three"]
    assert session.invocations.get(status="queued").prompt == "one, said better"
    assert texts(do("clear")) == []
    assert client.get(edit)["Location"] == session.get_absolute_url()


def test_strangers_find_nothing_of_it(client: Client, make_session: MakeSession, bob: User) -> None:
    session = make_session()
    run = start_invocation(session=session, prompt="Go", process_id=None)
    prompt = add_prompt(session=session, request=Request("one"))
    client.force_login(bob)
    for name, arguments in (
        ("again", [session.public_id, 1]), ("run", [run.pk]), ("queue-fragment", [session.public_id]),
        ("queued-prompt", [session.public_id, prompt.pk]),
    ):  # fmt: skip
        url = reverse(f"sessions:{name}", args=arguments)
        assert client.get(url).status_code == 404
        assert client.post(url, {"where": "here", "action": "clear"}).status_code in {404, 405}
    assert QueuedPrompt.objects.count() == 1
