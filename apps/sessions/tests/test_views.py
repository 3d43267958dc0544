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
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, RecordingBatch, Session

MakeSession = Callable[..., Session]


def test_a_session_shows_its_transcript_to_its_owner_and_404_to_strangers(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session(title="Plan a trip")
    start_invocation(session=session, prompt="<b>go</b>", process_id=None)
    url = reverse("sessions:detail", args=[session.public_id])
    client.force_login(alice)
    page = client.get(url).content.decode()

    assert "&lt;b&gt;go&lt;/b&gt;" in page and f'data-socket="/ws/sessions/{session.public_id}/"' in page
    client.force_login(carol)
    assert client.get(url).status_code == 200
    client.force_login(bob)
    for name in ("detail", "turns-fragment", "invoke", "stop", "end"):
        address = reverse(f"sessions:{name}", args=[session.public_id])
        answer = client.get(address) if name in {"detail", "turns-fragment"} else client.post(address, {"prompt": "x"})
        assert answer.status_code == 404, name
    client.logout()
    assert client.get(url)["Location"].startswith(reverse("accounts:login"))


@pytest.fixture
def async_client_of(transactional_db: None) -> Callable[[User], Any]:
    async def sign_in(user: User) -> AsyncClient:
        client = AsyncClient()
        await sync_to_async(client.force_login)(user)
        return client

    return sign_in


async def test_a_first_prompt_starts_a_session_and_leads_to_its_page(
    running_engine: Engine, async_client_of: Any, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    agent = await sync_to_async(demo_agent)("travel_concierge")
    client = await async_client_of(alice)
    answer = await client.post(
        reverse("sessions:start", args=[agent.pk]), {"qualifier": "prod", "prompt": "Two days in Ghent\nby train"}
    )

    session = await Session.objects.select_related("agent").aget()
    assert (answer.status_code, answer["Location"]) == (302, session.get_absolute_url())
    assert (session.qualifier, session.title, session.owner_id) == ("prod", "Two days in Ghent", alice.pk)
    invocation = await Invocation.objects.aget()
    assert invocation.version == "2"  # what prod points to
    async for _ in follow(invocation.pk):
        pass
    page = (await client.get(session.get_absolute_url())).content.decode()
    assert "Completed" in page and (await Invocation.objects.aget()).response_text[:12] in page


async def test_a_prompt_without_the_socket_works_and_a_busy_session_keeps_what_was_typed(
    running_engine: Engine, async_client_of: Any, begin: Callable[..., Invocation], alice: User, emulator: Any
) -> None:
    first = await sync_to_async(begin)()
    client = await async_client_of(alice)
    url = reverse("sessions:invoke", args=[first.session.public_id])
    refused = await client.post(url, {"prompt": "And on Sunday?"})

    assert refused.status_code == 422
    assert "This session is answering." in refused.content.decode()
    assert "And on Sunday?" in refused.content.decode()
    running_engine.launch(first)
    async for _ in follow(first.pk):
        pass
    accepted = await client.post(url, {"prompt": "And on Sunday?"})
    assert (accepted.status_code, accepted["Location"]) == (302, first.session.get_absolute_url())
    assert await Invocation.objects.acount() == 2
    stop = await client.post(reverse("sessions:stop", args=[first.session.public_id]))
    assert stop.status_code == 302
    async for _ in follow((await Invocation.objects.aget(number=2)).pk):
        pass


async def test_starting_with_another_users_or_an_unknown_agent_or_an_empty_prompt(
    running_engine: Engine, async_client_of: Any, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    agent = await sync_to_async(demo_agent)("travel_concierge")
    client = await async_client_of(alice)

    assert (await client.post(reverse("sessions:start", args=[agent.pk + 1]), {"prompt": "x"})).status_code == 404
    empty = await client.post(reverse("sessions:start", args=[agent.pk]), {"qualifier": "DEFAULT", "prompt": "  "})
    assert empty.status_code == 422
    assert "<title>Error: New session · Loom</title>" in empty.content.decode()
    assert re.search(r'<textarea name="prompt"[^>]* autofocus', empty.content.decode())
    assert "Type a prompt." in empty.content.decode()
    assert await Session.objects.acount() == 0


async def test_a_form_that_is_sent_twice_starts_one_session_with_one_run(
    running_engine: Engine, async_client_of: Any, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    agent = await sync_to_async(demo_agent)("travel_concierge")
    client = await async_client_of(alice)
    page = (await client.get(reverse("sessions:new"), {"agent": agent.pk})).content.decode()
    key = re.search(r'name="request_key" value="([0-9a-f-]{36})"', page)
    assert key is not None and f'action="{reverse("sessions:start", args=[agent.pk])}"' in page
    form = {"qualifier": "prod", "prompt": "Two days in Ghent", "request_key": key[1]}
    answers = [await client.post(reverse("sessions:start", args=[agent.pk]), form) for _ in range(2)]

    assert answers[0]["Location"] == answers[1]["Location"]
    assert (await Session.objects.acount(), await Invocation.objects.acount()) == (1, 1)
    async for _ in follow((await Invocation.objects.aget()).pk):
        pass


async def test_stop_and_end_say_what_became_of_it(
    running_engine: Engine, async_client_of: Any, begin: Callable[..., Invocation], alice: User, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=5, seconds=1200)
    invocation = await sync_to_async(begin)()
    address = invocation.session.get_absolute_url()
    client = await async_client_of(alice)
    running_engine.launch(invocation)
    async for events in follow(invocation.pk):
        if any(event["kind"] == "text" for event in events):
            break
    stop = reverse("sessions:stop", args=[invocation.session.public_id])
    assert (await client.post(stop, headers={"HX-Request": "true"})).headers["HX-Trigger"] == "loom:stopping"
    async for _ in follow(invocation.pk):
        pass

    page = (await client.get(address)).content.decode()
    assert "Stopped. Loom closed the connection" in page and "AgentCore keeps it until" in page
    assert f'name="again" value="{invocation.pk}"' in page  # Resend
    late = await client.post(stop, headers={"HX-Request": "true"})
    assert (late.status_code, late.headers["HX-Trigger"]) == (204, "loom:over")
    plain = await client.post(stop, follow=True)
    assert "The answer was complete before it could be stopped." in plain.content.decode()
    ended = await client.post(reverse("sessions:end", args=[invocation.session.public_id]), follow=True)
    text = ended.content.decode()
    assert "AWS accepted the end of this session" in text and "not proof that the environment is gone" in text
    assert 'disabled title="There is no environment to end."' in text


def finished_turns(session: Session, count: int) -> list[Invocation]:
    """Store completed runs without recordings, which no agent was asked for."""
    now = timezone.now()
    return Invocation.objects.bulk_create(
        Invocation(
            session=session, number=number, prompt=f"Prompt {number}.", response_text=f"**Answer** {number}",
            status=Invocation.Status.COMPLETED, requested_at=now, invoked_at=now, completed_at=now,
        )
        for number in range(1, count + 1)
    )  # fmt: skip


def numbers_in(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'class="prompt">Prompt (\d+)\.', html)]


def test_earlier_turns_are_loaded_page_by_page(client: Client, make_session: MakeSession, alice: User) -> None:
    session = make_session()
    finished_turns(session, 65)
    client.force_login(alice)
    page = client.get(session.get_absolute_url()).content.decode()
    fragment = reverse("sessions:turns-fragment", args=[session.public_id])

    assert numbers_in(page) == list(range(36, 66))
    assert f'hx-get="{fragment}?before=36"' in page and "35 more" in page
    earlier = client.get(fragment, {"before": "36"}).content.decode()
    assert numbers_in(earlier) == list(range(6, 36)) and "5 more" in earlier and "<html" not in earlier
    first = client.get(fragment, {"before": "6"}).content.decode()
    assert numbers_in(first) == list(range(1, 6)) and "Show earlier turns" not in first
    plain = client.get(session.get_absolute_url(), {"before": "6"}).content.decode()
    assert numbers_in(plain) == list(range(1, 6)) and "To the end of the conversation" in plain
    assert "data-socket" not in plain


def test_an_answer_can_be_taken_away_as_it_was_received(
    client: Client, make_session: MakeSession, alice: User, bob: User
) -> None:
    session = make_session()
    finished_turns(session, 1)
    client.force_login(alice)
    url = reverse("sessions:answer", args=[session.public_id, 1])
    shown, taken = client.get(url), client.get(url, {"download": "1"})

    assert (shown.content, shown["Content-Type"]) == (b"**Answer** 1", "text/markdown; charset=utf-8")
    assert taken["Content-Disposition"] == f'attachment; filename="{session.agent.name}-1.md"'
    assert client.get(reverse("sessions:answer", args=[session.public_id, 2])).status_code == 404
    client.force_login(bob)
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("status", ["completed", "streaming"])
def test_a_very_long_answer_is_a_click_away_where_its_page_stops_to_format_it(
    client: Client, make_session: MakeSession, alice: User, status: str
) -> None:
    session, long = make_session(), "One **word** more.\n" * 60_000
    finished_turns(session, 1)
    run = session.invocations.get()
    Invocation.objects.filter(pk=run.pk).update(status=status, response_text=long if status == "completed" else "")
    events = [{"seq": 1, "offset_ms": 0.0, "kind": "text", "text": long}]
    RecordingBatch.objects.create(invocation=run, first_sequence=1, last_sequence=1, events=events)
    client.force_login(alice)
    page = client.get(session.get_absolute_url()).content.decode()
    if status == "completed":  # of which a page of many turns shows the beginning
        (whole,) = re.findall(r'hx-get="([^"]*\?whole=1)"', page)
        page = client.get(whole).content.decode()
    (way,) = re.findall(r'<p class="rest-note".*?<a href="([^"]+)" download>', page)

    assert way == reverse("sessions:answer", args=[session.public_id, 1]) + "?download=1"
    assert client.get(way).content.decode() == long
    assert page.count('<pre class="rest"') < 300


def test_a_new_session_begins_with_the_agent_its_endpoint_and_a_prompt_of_several_lines(
    client: Client, make_agent: Callable[..., Agent], alice: User
) -> None:
    """S0-108: the pickers; the answer and its session are in loom/tests/pages/test_browser_flow.py."""
    make_agent(name="weather")
    chosen = make_agent(name="order_desk", available_qualifiers=["DEFAULT", "prod"])
    chosen.endpoints.create(name="prod", live_version="2", status="READY")
    client.force_login(alice)
    page = client.get(reverse("sessions:new"), {"agent": chosen.pk}).content.decode()

    agents = page.partition('id="new-agent"')[2].partition("</select>")[0]
    assert re.findall(r"<option[^>]*>(\w+)", agents) == ["order_desk", "weather"]
    assert re.findall(r"<option[^>]* selected>(\w+)", agents) == ["order_desk"]
    qualifiers = page.partition('name="qualifier"')[2].partition("</select>")[0]
    assert re.findall(r'<option value="(\w+)"', qualifiers) == ["DEFAULT", "prod"]
    assert re.search(r'<textarea name="prompt"', page)
    assert f'action="{reverse("sessions:start", args=[chosen.pk])}"' in page


def test_a_new_session_without_any_agent_says_what_to_do(client: Client, alice: User) -> None:
    client.force_login(alice)

    assert "Register one" in client.get(reverse("sessions:new")).content.decode()


def test_the_agent_that_somebody_used_last_stands_first(
    client: Client, make_agent: Callable[..., Agent], make_session: MakeSession, alice: User, bob: User
) -> None:
    agents = [make_agent(name=name) for name in ("a_first", "b_second", "c_third")]
    make_session(agent=agents[1])
    make_session(agent=agents[2])
    make_session(agent=agents[0], owner=bob)
    client.force_login(alice)

    page = client.get(reverse("sessions:new")).content.decode()

    [choice] = re.findall(r'<select id="new-agent".*?</select>', page, re.DOTALL)
    assert re.findall(r"<option[^>]*>(\w+)", choice) == ["c_third", "b_second", "a_first"]
    assert re.findall(r"<option[^>]* selected>(\w+)", choice) == ["c_third"]
