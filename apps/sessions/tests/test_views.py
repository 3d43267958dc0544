from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client
from django.urls import reverse

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.sessions.live import Engine, follow
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_invocation

MakeSession = Callable[..., Session]


def test_a_session_shows_its_transcript_to_its_owner_and_404_to_strangers(
    client: Client, make_session: MakeSession, alice: User, bob: User, carol: User
) -> None:
    session = make_session(title="Plan a trip")
    start_invocation(session=session, prompt="<b>go</b>", process_id=None)
    url = reverse("sessions:detail", args=[session.public_id])
    client.force_login(alice)
    page = client.get(url).content.decode()

    assert "&lt;b&gt;go&lt;/b&gt;" in page and f'ws-connect="/ws/sessions/{session.public_id}/"' in page
    client.force_login(carol)
    assert client.get(url).status_code == 200
    client.force_login(bob)
    for name in ("detail", "invoke", "stop"):
        address = reverse(f"sessions:{name}", args=[session.public_id])
        answer = client.get(address) if name == "detail" else client.post(address, {"prompt": "x"})
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
    assert "Type a prompt." in empty.content.decode()
    assert await Session.objects.acount() == 0
