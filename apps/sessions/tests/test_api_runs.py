"""What programs do with runs beside starting them: repeat, resume, leave, stop, end, read."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.models import Process
from apps.core.running import processes
from apps.sessions.api import InvokeIn, _launched
from apps.sessions.engine.engine import Engine, engine, follow
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.tests.test_api import Api, numbered, parse
from apps.sessions.tests.test_api import agent as agent
from apps.sessions.tests.test_api import api as api
from apps.sessions.tests.waiting import wait_until
from apps.sessions.viewing.sse import run_frames

Begin = Callable[..., Invocation]


async def body_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    return "".join([part.decode() async for part in answer])


def address(invocation: Invocation) -> str:
    return f"/api/agents/{invocation.session.agent_id}/sessions/{invocation.session.runtime_session_id}"


async def finished(invocation: Invocation) -> Invocation:
    async for _ in follow(invocation.pk):
        pass
    return await Invocation.objects.select_related("session__agent").aget(pk=invocation.pk)


async def test_a_repeated_request_is_the_same_run(api: Api, agent: Agent, emulator: Any) -> None:
    """A client that lost the connection sends the same again, and reads the answer from its beginning."""
    url, body = f"/api/agents/{agent.pk}/invoke", json.dumps({"prompt": "Two days in Ghent"})
    headers = {"Idempotency-Key": "order-66"}
    bodies = [
        await body_of(await api.client.post(url, body, content_type="application/json", headers=headers))
        for _ in range(2)
    ]

    invocation = await Invocation.objects.select_related("session").aget()
    assert parse(bodies[0])[-1] == parse(bodies[1])[-1]
    assert parse(bodies[0])[0] == parse(bodies[1])[0]
    assert len(emulator.invocations(invocation.session.runtime_session_id)) == 1
    other = await api.client.post(
        url, json.dumps({"prompt": "Another"}), content_type="application/json", headers=headers
    )
    assert (other.status_code, json.loads(other.content)["error"]) == (409, "request_key_reused")
    long = await api.client.post(url, body, content_type="application/json", headers={"Idempotency-Key": "x" * 65})
    assert (long.status_code, json.loads(long.content)["error"]) == (400, "invalid")


async def test_a_payload_is_sent_as_it_is(api: Api, agent: Agent) -> None:
    payload = {"prompt": "Two days in Ghent", "options": {"pace": 1.5, "äö": [True, None]}}
    events = await api.events(agent, payload=payload)

    invocation = await Invocation.objects.aget()
    assert (json.loads(invocation.payload), invocation.prompt) == (payload, "Two days in Ghent")
    assert events[-1][0] == "session_end"
    for bad in ({"payload": {"a": "\0"}}, {"payload": None, "prompt": " "}):
        assert (await api.invoke(agent, **bad)).status_code == 400


async def test_without_a_stream_the_answer_is_one_json_object(api: Api, agent: Agent) -> None:
    """S1-057: the answer as the agent wrote it, markdown and all."""
    answer = await api.invoke(agent, prompt="Two days in Ghent", stream=False)

    invocation = await Invocation.objects.select_related("session").aget()
    session_id = invocation.session.runtime_session_id
    assert invocation.invoked_at and invocation.completed_at
    assert (answer.status_code, json.loads(answer.content)) == (
        200,
        {
            "response": invocation.response_text,
            "sessionId": session_id,
            "session_id": session_id,
            "invocation": 1,
            "created": True,
            "client_invoke_time": invocation.invoked_at.timestamp(),
            "client_done_time": invocation.completed_at.timestamp(),
            "client_duration_ms": invocation.total_latency_ms,
            "unread_event_count": 0,
        },
    )
    assert "**" in invocation.response_text  # markdown as the agent wrote it


@pytest.mark.agentcore
@pytest.mark.parametrize(
    ("order", "status", "error", "is_retryable"),
    [
        ({"code": "ValidationException", "status": 400}, 400, "ValidationException", False),
        ({"code": "ExpiredTokenException", "status": 403}, 401, "ExpiredTokenException", False),
        ({"code": "AccessDeniedException", "status": 403}, 403, "AccessDeniedException", False),
        ({"code": "ResourceNotFoundException", "status": 404}, 404, "ResourceNotFoundException", False),
        ({"code": "RuntimeClientError", "status": 424}, 500, "RuntimeClientError", False),
        ({"code": "ServiceQuotaExceededException", "status": 402}, 500, "ServiceQuotaExceededException", False),
        ({"code": "ServiceUnavailableException", "status": 503}, 503, "ServiceUnavailableException", False),
        ({"code": "GatewayTimeout", "status": 504}, 504, "GatewayTimeout", False),
    ],
)
async def test_a_failure_has_a_status_and_says_whether_to_try_again(
    api: Api, agent: Agent, emulator: Any, order: dict[str, Any], status: int, error: str, is_retryable: bool
) -> None:
    """S1-061: 400, 401, 403, 404, 500, 503 and 504, each in the one shape."""
    emulator.order(kind="error", operation="InvokeAgentRuntime", message="Because.", **order)
    answer = await api.invoke(agent, prompt="Hi", stream=False)

    body = json.loads(answer.content)
    session = await Session.objects.aget()
    assert (answer.status_code, body["error"]) == (status, error)
    assert set(body) == {"error", "message", "details"}
    details = body["details"]
    assert (details["agentId"], details["sessionId"]) == (agent.pk, session.runtime_session_id)
    assert (details["retryable"], "retryAfter" in details) == (is_retryable, is_retryable)


@pytest.mark.agentcore
async def test_what_provably_did_not_run_may_be_sent_again(
    api: Api, agent: Agent, running_engine: Engine, settings: Any
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.EMULATOR_URL = f"http://127.0.0.1:{taken.getsockname()[1]}"  # where nobody listens
        await running_engine.close(drain_s=0)
        await running_engine.start((await sync_to_async(processes.register)(Process.Kind.WEB)).pk)
        answer = await api.invoke(agent, prompt="Hi", stream=False)

    body = json.loads(answer.content)
    assert (answer.status_code, body["details"]["retryable"], body["details"]["retryAfter"]) == (503, True, 5)


async def test_a_cut_stream_goes_on_from_its_number_without_a_gap(api: Api, agent: Agent) -> None:
    events = numbered(await body_of(await api.invoke(agent, prompt="Two days in Ghent")))
    invocation = await Invocation.objects.select_related("session").aget()
    half = len(events) // 2
    middle = events[half][0]
    rest = await body_of(await api.client.get(f"{address(invocation)}/events?since={middle}"))
    by_header = await body_of(
        await api.client.get(f"{address(invocation)}/events", headers={"Last-Event-ID": str(middle)})
    )

    assert numbered(rest) == events[half + 1 :]
    assert by_header == rest
    whole = numbered(await body_of(await api.client.get(f"{address(invocation)}/events?invocation=1")))
    assert whole[1:] == events[1:]
    assert whole[0][2] == {**events[0][2], "created": False}
    last = await body_of(await api.client.get(f"{address(invocation)}/events?since={invocation.last_sequence}"))
    assert parse(last) == parse(rest)[-1:]


async def test_a_run_is_followed_while_it_goes_on_and_stopped(
    api: Api, agent: Agent, begin: Begin, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    invocation = await sync_to_async(begin)()
    engine.launch(invocation)
    answer: Any = await api.client.get(f"{address(invocation)}/events")
    body, stopped = "", None
    async for part in answer:
        body += part.decode()
        if stopped is None and "event: chunk" in body:
            stopped = await api.client.post(f"{address(invocation)}/stop", content_type="application/json")

    assert stopped is not None
    assert (stopped.status_code, json.loads(stopped.content)) == (
        202,
        {"session_id": invocation.session.runtime_session_id, "invocation": 1, "is_stopping": True},
    )
    assert parse(body)[-1][1]["message"] == "stopped"


async def test_details_tell_of_tools_and_usage(api: Api, demo_agent: Any, agent: Agent) -> None:
    analyst = await sync_to_async(demo_agent)("inventory_analyst")
    await api.events(analyst, prompt="What is in stock?")
    invocation = await Invocation.objects.select_related("session").aget()
    plain = parse(await body_of(await api.client.get(f"{address(invocation)}/events")))
    detailed = parse(await body_of(await api.client.get(f"{address(invocation)}/events?detail=1")))

    kinds = {data["kind"] for name, data in detailed if name == "detail"}
    assert {"invoked", "headers", "tool"} <= kinds and not kinds & {"text", "json"}
    assert [event for event in detailed if event[0] != "detail"] == plain
    calls = [data for name, data in detailed if name == "detail" and data["kind"].startswith("tool")]
    assert [data["span_id"] for data in calls] == [data["tool_use_id"] for data in calls] != []


async def test_what_is_said_inside_a_span_is_a_detail_and_so_is_what_a_later_loom_recorded(
    api: Api, begin: Begin
) -> None:
    invocation = await sync_to_async(begin)()
    events: list[Any] = [
        {"seq": 1, "offset_ms": 1.0, "kind": "text", "text": "a"},
        {"seq": 2, "offset_ms": 2.0, "kind": "text", "text": "b", "span_id": "s1", "parent_id": "t1"},
        {"seq": 3, "offset_ms": 3.0, "kind": "from_2030", "words": ["c"]},
        {"seq": 4, "offset_ms": 4.0, "kind": "text", "text": "d"},
    ]
    rest = Pending(invocation.pk, events, {"last_sequence": 4})
    end = sync_to_async(finish_invocation)
    assert await end(invocation.process_id, rest, status="completed", completed_at=timezone.now())

    detailed = parse(await body_of(await api.client.get(f"{address(invocation)}/events?detail=1")))
    assert detailed[1:-1] == [
        ("chunk", {"text": "a"}), ("detail", events[1]), ("detail", events[2]), ("chunk", {"text": "d"})
    ]  # fmt: skip


@pytest.mark.parametrize("stops_on_leave", [True, False])
async def test_leaving_stops_the_run_where_that_was_asked_for(
    begin: Begin, emulator: Any, running_engine: Engine, stops_on_leave: bool
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    invocation = await sync_to_async(begin)()
    stream = running_engine.launch(invocation)
    frames = run_frames(invocation, is_new=True, stops_on_leave=stops_on_leave)
    await anext(frames)
    await frames.aclose()

    assert stream.task is not None
    assert bool(stream.task.cancelling()) is stops_on_leave
    running_engine.stop(invocation.pk)
    assert (await finished(invocation)).status == "stopped"


async def test_leaving_before_the_first_event_stops_the_run_too(
    agent: Agent, alice: User, emulator: Any, running_engine: Engine
) -> None:
    """The request is cut while a thread stores the run."""
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    body = InvokeIn.model_validate({"prompt": "Hi", "on_disconnect": "stop"})
    asking = asyncio.ensure_future(_launched(alice, agent.pk, body, ""))
    await asyncio.sleep(0)  # the thread has its work, and cannot have brought it back
    asking.cancel()
    await asyncio.wait([asking])
    await wait_until(Invocation.objects.aexists, "the run is stored")

    assert (await finished(await Invocation.objects.aget())).status == "stopped"


async def test_leaving_a_whole_answer_stops_the_run_where_that_was_asked_for(
    api: Api, agent: Agent, emulator: Any
) -> None:
    emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    asking = asyncio.ensure_future(api.invoke(agent, prompt="Hi", stream=False, on_disconnect="stop"))
    await wait_until(Invocation.objects.filter(first_chunk_at__isnull=False).aexists, "it answers")
    asking.cancel()
    await asyncio.wait([asking])

    assert (await finished(await Invocation.objects.aget())).status == "stopped"


async def test_a_silent_run_keeps_its_connection_alive(
    agent: Agent, begin: Begin, emulator: Any, monkeypatch: pytest.MonkeyPatch, running_engine: Engine
) -> None:
    monkeypatch.setattr("apps.sessions.viewing.sse.KEEP_ALIVE_S", 0.05)
    emulator.order(kind="hang", seconds=3_600)
    invocation = await sync_to_async(begin)()
    running_engine.launch(invocation)
    frames = run_frames(invocation, is_new=True)
    seen = [await anext(frames) for _ in range(3)]
    running_engine.stop(invocation.pk)
    seen += [part async for part in frames]

    assert b": still running\n\n" in seen[:3]
    assert [name for name, _ in parse(b"".join(seen).decode())] == ["session_start", "error"]


async def test_stopping_what_does_not_run_is_no_error(api: Api, agent: Agent) -> None:
    await api.events(agent, prompt="Hi")
    invocation = await Invocation.objects.select_related("session").aget()
    answer = await api.client.post(f"{address(invocation)}/stop", content_type="application/json")

    assert (answer.status_code, json.loads(answer.content)) == (
        200,
        {"session_id": invocation.session.runtime_session_id, "invocation": None, "is_stopping": False},
    )


async def test_only_the_run_that_is_meant_is_stopped(api: Api, agent: Agent, begin: Begin) -> None:
    invocation = await sync_to_async(begin)()
    other = await api.client.post(f"{address(invocation)}/stop?invocation=2", content_type="application/json")
    meant = await api.client.post(f"{address(invocation)}/stop?invocation=1", content_type="application/json")

    assert (other.status_code, meant.status_code) == (200, 202)


async def test_ending_a_session_frees_its_environment(api: Api, agent: Agent, emulator: Any) -> None:
    await api.events(agent, prompt="Hi")
    invocation = await Invocation.objects.select_related("session").aget()
    answer = await api.client.post(f"{address(invocation)}/end", content_type="application/json")

    session = await Session.objects.aget()
    assert answer.status_code == 200 and session.ended_at is not None
    assert json.loads(answer.content) == {
        "session_id": session.runtime_session_id,
        "ended_at": session.ended_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


@pytest.mark.agentcore
async def test_an_end_that_aws_refuses_is_502(api: Api, agent: Agent, emulator: Any) -> None:
    await api.events(agent, prompt="Hi")
    invocation = await Invocation.objects.select_related("session").aget()
    emulator.order(kind="error", operation="StopRuntimeSession", code="AccessDeniedException", message="Not you.")
    answer = await api.client.post(f"{address(invocation)}/end", content_type="application/json")

    body = json.loads(answer.content)
    assert (answer.status_code, body["error"], body["message"]) == (502, "AccessDeniedException", "Not you.")
    assert body["details"]["sessionId"] == invocation.session.runtime_session_id
    assert (await Session.objects.aget()).ended_at is None


@pytest.mark.agentcore
async def test_the_log_lines_of_a_session(api: Api, agent: Agent) -> None:
    """S0-100d."""
    ids = [(await api.events(agent, prompt="Hi"))[0][1]["session_id"] for _ in range(2)]
    url = f"/api/agents/{agent.pk}/sessions/{ids[0]}/logs"
    async with asyncio.timeout(60):
        while not (page := json.loads((await api.client.get(url)).content))["events"]:  # noqa: ASYNC110 -- CloudWatch tells late
            await asyncio.sleep(0.1)

    assert {event["session_id"] for event in page["events"]} == {ids[0]}
    assert page["log_group"] == agent.runtime.log_group
    assert page["log_stream"] == page["events"][-1]["log_stream"]
    assert json.loads((await api.client.get(f"{url}?search=no+such+words")).content)["events"] == []


async def test_strangers_find_no_session(api: Api, agent: Agent, begin: Begin, bob: User) -> None:
    invocation = await sync_to_async(begin)()
    await sync_to_async(api.client.force_login)(bob)
    for method, path in (("get", "/events"), ("post", "/stop"), ("post", "/end"), ("get", "/logs")):
        answer = await getattr(api.client, method)(f"{address(invocation)}{path}", content_type="application/json")
        assert (path, answer.status_code) == (path, 404)
        assert json.loads(answer.content)["details"]["sessionId"] == invocation.session.runtime_session_id
    assert (await Invocation.objects.aget()).stop_requested_at is None


async def test_a_response_is_a_stream_that_no_proxy_collects(api: Api, agent: Agent) -> None:
    """S0-103."""
    answer = await api.invoke(agent, prompt="Hi")

    assert isinstance(answer, StreamingHttpResponse)
    assert (answer["Cache-Control"], answer["X-Accel-Buffering"]) == ("no-cache", "no")
    await body_of(answer)
