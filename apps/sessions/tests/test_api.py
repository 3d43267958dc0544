"""POST /api/agents/{id}/invoke: server-sent events in the order and shapes of the first version of the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.sessions.engine.engine import Engine, follow
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import events_after
from apps.sessions.tests.waiting import wait_until
from apps.sessions.viewing.sse import frame

Events = list[tuple[str, dict[str, Any]]]


def parse(body: str) -> Events:
    return [(name, data) for _, name, data in numbered(body)]


def numbered(body: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Each event with its number; the number never falls."""
    found = []
    for part in body.split("\n\n"):
        if part and not part.startswith(":"):
            number, event, data = (line.partition(": ")[2] for line in part.split("\n"))
            found.append((int(number), event, json.loads(data)))
    assert [number for number, _, _ in found] == sorted(number for number, _, _ in found)
    return found


class Api:
    """A signed-in client of the API."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client

    async def invoke(self, agent: Agent, **body: Any) -> Any:
        url = f"/api/agents/{agent.pk}/invoke"
        return await self.client.post(url, json.dumps(body), content_type="application/json")

    async def events(self, agent: Agent, **body: Any) -> Events:
        answer = await self.invoke(agent, **body)
        assert answer.status_code == 200, answer.content
        assert answer["Content-Type"] == "text/event-stream"
        assert (answer["Cache-Control"], answer["X-Accel-Buffering"]) == ("no-cache", "no")
        return parse("".join([part.decode() async for part in answer]))


@pytest.fixture
async def api(running_engine: Engine, alice: User) -> Api:
    client = AsyncClient()
    await sync_to_async(client.force_login)(alice)
    return Api(client)


@pytest.fixture
async def agent(running_engine: Engine, demo_agent: Callable[[str], Agent]) -> Agent:
    return await sync_to_async(demo_agent)("travel_concierge")


async def test_the_events_of_an_invocation(api: Api, agent: Agent) -> None:
    """S0-050 … S0-053, S0-055, S0-099, S0-103."""
    events = await api.events(agent, prompt="Two days in Ghent")

    names = [name for name, _ in events]
    assert names[0] == "session_start" and names[-1] == "session_end" and set(names[1:-1]) == {"chunk"}
    start, end = events[0][1], events[-1][1]
    invocation = await Invocation.objects.select_related("session").aget()
    assert invocation.invoked_at and invocation.completed_at
    assert start == {
        "session_id": invocation.session.runtime_session_id,
        "client_invoke_time": invocation.invoked_at.timestamp(),
        "created": True,
        "invocation": 1,
    }
    assert end == {
        "session_id": start["session_id"],
        "client_done_time": invocation.completed_at.timestamp(),
        "client_duration_ms": invocation.total_latency_ms,
        "unread_event_count": 0,
    }
    assert "".join(data["text"] for name, data in events if name == "chunk") == invocation.response_text


async def test_a_second_turn_goes_on_in_the_same_session(api: Api, agent: Agent) -> None:
    first = await api.events(agent, prompt="Two days in Ghent")
    second = await api.events(agent, prompt="And on Sunday?", session_id=first[0][1]["session_id"])

    assert second[0][1]["created"] is False
    assert "Picking up from before" in "".join(data["text"] for name, data in second if name == "chunk")
    assert await Session.objects.acount() == 1


async def test_a_session_stays_on_its_endpoint(api: Api, agent: Agent) -> None:
    first = await api.events(agent, prompt="Two days in Ghent", qualifier="prod")
    answer = await api.invoke(agent, prompt="Hi", qualifier="DEFAULT", session_id=first[0][1]["session_id"])

    assert (answer.status_code, json.loads(answer.content)["message"]) == (
        400,
        "This session runs on the endpoint prod; leave `qualifier` out.",
    )
    second = await api.events(agent, prompt="Hi", session_id=first[0][1]["session_id"])
    assert second[-1][0] == "session_end"
    assert [row.version async for row in Invocation.objects.all()] == ["2", "2"]


async def test_an_unknown_session_id_makes_a_new_session(api: Api, agent: Agent) -> None:
    """S1-054."""
    outside = "made-elsewhere-" + "0" * 30
    events = await api.events(agent, prompt="Hi", session_id=outside)

    assert (events[0][1]["session_id"], events[0][1]["created"]) == (outside, True)
    assert (await Session.objects.aget()).is_own_id is False


async def test_a_failure_is_one_error_event_at_the_end(api: Api, demo_agent: Any, agent: Agent) -> None:
    """S0-054."""
    failing = await sync_to_async(demo_agent)("claims_intake")
    events = await api.events(failing, prompt="Check this claim")

    names = [name for name, _ in events]
    assert names[0] == "session_start" and names[-1] == "error" and "chunk" in names
    assert names.count("error") == 1 and "session_end" not in names
    invocation = await Invocation.objects.aget()
    assert events[-1][1] == {
        "message": invocation.error_message,
        "reason": "failed",
        "error": "agent_error",
        "details": {
            "agentId": failing.pk,
            "sessionId": events[0][1]["session_id"],
            "invocation": 1,
            "reason": "failed",
            "retryable": False,
            "advice": invocation.error_advice,
            "request_id": invocation.request_id,
            "agent_error_type": invocation.agent_error_type,
        },
    }
    assert invocation.agent_error_type


@pytest.mark.agentcore
async def test_session_start_tells_when_the_request_went_out_that_aws_took(
    api: Api, agent: Agent, emulator: Any
) -> None:
    """S0-051, S0-056: one that is throttled and sent again has one beginning, which is the stored one."""
    emulator.order(
        kind="error", operation="InvokeAgentRuntime", code="ThrottlingException", status=429, message="Slow down."
    )
    events = await api.events(agent, prompt="Two days in Ghent")

    invocation = await Invocation.objects.select_related("session").aget()
    assert invocation.invoked_at is not None and invocation.attempt_count == 2
    assert [data["client_invoke_time"] for name, data in events if name == "session_start"] == [
        invocation.invoked_at.timestamp()
    ]
    assert events[0][0] == "session_start"
    recorded = await sync_to_async(events_after)(invocation.pk)
    assert [event["kind"] for event in recorded[:4]] == ["invoked", "retry", "invoked", "headers"]
    retry = recorded[1]
    assert retry["kind"] == "retry" and (retry["attempt"], retry["reason"]) == (2, "ThrottlingException")


async def test_a_session_of_somebody_else_is_not_there(api: Api, agent: Agent, bob: User) -> None:
    """An id that nobody has used yet makes a session; one of a stranger is as if it were not there, and stays his."""
    session_id = (await api.events(agent, prompt="Hi"))[0][1]["session_id"]
    await sync_to_async(api.client.force_login)(bob)
    for stream in (True, False):
        answer = await api.invoke(agent, prompt="Hi", session_id=session_id, stream=stream)
        assert (answer.status_code, json.loads(answer.content)["error"]) == (404, "not_found")

    assert await Session.objects.acount() == await Invocation.objects.acount() == 1


async def test_a_refused_request_still_begins_with_session_start(api: Api, agent: Agent, emulator: Any) -> None:
    emulator.order(kind="error", code="AccessDeniedException", message="not for you")
    events = await api.events(agent, prompt="Hi")

    assert [name for name, _ in events] == ["session_start", "error"]
    assert events[1][1]["error"] == "AccessDeniedException"


async def test_a_stopped_stream_ends_with_stopped(api: Api, agent: Agent, emulator: Any) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    answer = await api.invoke(agent, prompt="Two days in Ghent")
    body = ""
    async for part in answer:
        body += part.decode()
        if "event: chunk" in body:
            await Invocation.objects.aupdate(stop_requested_at=(await Invocation.objects.aget()).requested_at)

    name, data = parse(body)[-1]
    assert (name, data["message"], data["reason"]) == ("error", "stopped", "stopped")


async def test_a_json_answer_is_one_chunk(api: Api, demo_agent: Any, agent: Agent) -> None:
    scorer = await sync_to_async(demo_agent)("sentiment_scorer")
    events = await api.events(scorer, prompt="What a lovely day")

    assert [name for name, _ in events] == ["session_start", "chunk", "session_end"]


async def test_leaving_does_not_stop_the_run(api: Api, agent: Agent, running_engine: Engine) -> None:
    answer = await api.invoke(agent, prompt="Two days in Ghent")
    async for _ in answer:
        break
    await answer.streaming_content.aclose()
    invocation = await Invocation.objects.aget()
    async for _ in follow(invocation.pk):
        pass

    assert (await Invocation.objects.aget()).status == "completed"


async def test_a_caller_cut_off_while_the_run_is_stored_leaves_no_session_that_answers_for_ever(
    api: Api, agent: Agent
) -> None:
    call = asyncio.create_task(api.invoke(agent, prompt="Two days in Ghent"))
    await wait_until(Invocation.objects.aexists, "the run is stored")
    call.cancel()
    await asyncio.wait([call])
    invocation = await Invocation.objects.aget()
    async for _ in follow(invocation.pk):
        pass

    assert (await Invocation.objects.aget()).status == "completed"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"prompt": "Hi", "qualifier": "nowhere"}, 400, "unknown_qualifier"),
        ({"prompt": "  "}, 400, "invalid"),
        ({"prompt": ""}, 400, "invalid"),
        ({}, 400, "invalid"),
        ({"prompt": "Hi", "session_id": "short"}, 400, "invalid"),
        ({"prompt": "x" * 100_001}, 400, "invalid"),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    api: Api, agent: Agent, body: dict[str, Any], status: int, error: str
) -> None:
    """S0-102: 400 for an unknown qualifier."""
    answer = await api.invoke(agent, **body)

    assert (answer.status_code, json.loads(answer.content)["error"]) == (status, error)
    assert set(json.loads(answer.content)) == {"error", "message", "details"}
    assert await Invocation.objects.acount() == 0


async def test_a_busy_session_is_a_conflict(api: Api, agent: Agent, begin: Callable[..., Invocation]) -> None:
    running = await sync_to_async(begin)()
    answer = await api.invoke(agent, prompt="Hi", session_id=running.session.runtime_session_id)

    assert (answer.status_code, json.loads(answer.content)["error"]) == (409, "session_busy")


async def test_strangers_and_unknown_agents(api: Api, agent: Agent) -> None:
    assert (
        await AsyncClient().post(f"/api/agents/{agent.pk}/invoke", "{}", content_type="application/json")
    ).status_code == 401
    agent.pk += 100
    assert (await api.invoke(agent, prompt="Hi")).status_code == 404


@given(st.text(min_size=1))
def test_any_text_survives_a_frame(text: str) -> None:
    assert numbered(frame("chunk", {"text": text}, 7).decode()) == [(7, "chunk", {"text": text})]
