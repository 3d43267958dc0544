"""The end of a run as programs see it: its number, and the prompt that comes right behind a stop."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from apps.agents.models import Agent
from apps.sessions.engine.engine import engine
from apps.sessions.models import Invocation
from apps.sessions.tests.test_api import Api, numbered, parse
from apps.sessions.tests.test_api import agent as agent
from apps.sessions.tests.test_api import api as api
from apps.sessions.tests.test_api_runs import Begin, address, body_of
from apps.sessions.tests.waiting import wait_until


async def test_who_has_the_end_is_told_not_to_ask_again(api: Api, agent: Agent, begin: Begin) -> None:
    """A browser's EventSource connects again after every end, unless it gets 204."""
    events = numbered(await body_of(await api.invoke(agent, prompt="Two days in Ghent")))
    invocation = await Invocation.objects.select_related("session").aget()
    end = invocation.last_sequence + 1
    assert (events[-1][0], events[-1][1], events[-2][0] < end) == (end, "session_end", True)

    async def asked(last: int, query: str = "invocation=1") -> Any:
        return await api.client.get(f"{address(invocation)}/events?{query}", headers={"Last-Event-ID": str(last)})

    for last in (end, end + 1):
        assert ((await asked(last)).status_code, (await asked(last)).content) == (204, b"")
    assert [name for name, _ in parse(await body_of(await asked(end - 1)))] == ["session_end"]
    assert [name for name, _ in parse(await body_of(await asked(end, f"since={end}")))] == ["session_end"]
    # Of events that could not be stored a reader may have had the numbers, but not the end.
    await Invocation.objects.filter(pk=invocation.pk).aupdate(lost_event_count=3)
    assert [number for number, _, _ in numbered(await body_of(await asked(end + 2)))] == [end + 3]
    assert (await asked(end + 3)).status_code == 204
    running = await sync_to_async(begin)(session=invocation.session)
    response = await asked(999, "invocation=2")  # before it is launched: it cannot have ended
    engine.launch(running)
    assert response.status_code == 200
    assert (await body_of(response)).endswith("\n\n")


async def test_the_next_prompt_waits_for_a_run_that_is_being_stopped(
    api: Api, agent: Agent, begin: Begin, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    invocation = await sync_to_async(begin)()
    engine.launch(invocation)
    await wait_until(Invocation.objects.filter(first_chunk_at__isnull=False).aexists, "it answers")
    refused = await api.invoke(agent, prompt="Too early", session_id=invocation.session.runtime_session_id)
    stopped = await api.client.post(f"{address(invocation)}/stop", content_type="application/json")
    events = await api.events(agent, prompt="And on Sunday?", session_id=invocation.session.runtime_session_id)

    assert (refused.status_code, stopped.status_code, events[-1][0]) == (409, 202, "session_end")
    assert [run.status async for run in Invocation.objects.order_by("number")] == ["stopped", "completed"]


async def test_a_run_that_does_not_stop_in_time_keeps_its_session_and_says_so(
    api: Api, agent: Agent, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is away, for example."""
    monkeypatch.setattr("apps.sessions.invoking.STOP_WITHIN_S", 0.05)
    invocation = await sync_to_async(begin)()
    await Invocation.objects.filter(pk=invocation.pk).aupdate(stop_requested_at=timezone.now())
    answer = await api.invoke(agent, prompt="Next", session_id=invocation.session.runtime_session_id)

    body = json.loads(answer.content)
    assert (answer.status_code, body["error"], body["details"]["retryable"]) == (409, "session_busy", True)
    assert body["message"] == "This session is still stopping its last answer."
