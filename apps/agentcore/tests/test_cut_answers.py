"""Answers that are cut on a real socket while the loop is busy: what had come is in the recording, half events too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from apps.agentcore.invoking.host import AgentCoreHost
from apps.aws.agentcore import AgentCoreClient
from apps.aws.connection import Connection
from apps.aws.tests.cutting import FRAMINGS, Cutting
from apps.aws.tests.invoking import DATA_PLANES
from apps.aws.tests.loopback import PATIENCE_S
from apps.sessions.engine.host import RunEnd
from apps.sessions.engine.run import Run
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Session
from loom_events.fold import unread_count

BODIES = {
    "text/event-stream": b'data: "one "\n\ndata: "two "\n\ndata: "half of thr',
    "application/x-ndjson": b'{"text": "one "}\n{"text": "two "}\n{"text": "half of thr',
    "application/json": b'{"result": "one two half of thr',
    "text/plain": "one two half of thr…".encode()[:-1],
}


@pytest.fixture
def run(transactional_db: None, make_session: Callable[..., Session]) -> Run:
    invocation = start_invocation(session=make_session(), prompt="go", process_id=None)
    return Run(invocation, LiveStream(invocation.pk))


@pytest.fixture(params=DATA_PLANES)
def data_plane(request: pytest.FixtureRequest) -> str:
    plane: str = request.param
    return plane


async def answered(run: Run, server: Cutting, data_plane: str) -> RunEnd:
    """Answer the run, with a loop that stands still from the headers to the end of the connection."""
    client = AgentCoreClient(Connection("emulator", "us-east-1", endpoint_url=server.url), data_plane=data_plane)
    running = asyncio.ensure_future(AgentCoreHost(client).run(run))
    while not run.events or run.events[-1]["kind"] != "headers":  # noqa: ASYNC110 -- nothing else tells
        await asyncio.sleep(0.001)
    server.go_on.set()
    server.is_over.wait(PATIENCE_S)
    end = await running
    await client.close()
    return end


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("content_type", BODIES)
async def test_what_came_before_a_cut_is_recorded(
    run: Run, content_type: str, framing: str, data_plane: str, *, is_reset: bool
) -> None:
    body = BODIES[content_type]
    with Cutting(content_type, body, framing, is_reset=is_reset).running() as server:
        end = await answered(run, server, data_plane)

    assert run.byte_count == len(body)
    assert "half of thr" in json.dumps(run.events)
    expected = ("completed", "") if framing == "bare" else ("failed", "ClientPayloadError")
    assert (end.status, end.code) == expected


async def test_half_of_an_event_is_no_text_of_the_answer(run: Run, data_plane: str) -> None:
    with Cutting("text/event-stream", BODIES["text/event-stream"], "chunked", is_reset=True).running() as server:
        await answered(run, server, data_plane)

    summary = run.summary()
    assert summary["response_text"] == "one two "
    assert (summary["unread_event_count"], unread_count(run.events)) == (1, 1)
    assert [event["value"] for event in run.events if event["kind"] == "other"] == ['"half of thr']


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
async def test_a_connection_that_breaks_behind_the_last_byte_cuts_nothing(
    run: Run, data_plane: str, *, is_reset: bool
) -> None:
    body = b'data: "one "\n\ndata: "two"\n\n'
    with Cutting("text/event-stream", body, "chunked", is_reset=is_reset, is_whole=True).running() as server:
        end = await answered(run, server, data_plane)

    assert (end.status, run.summary()["response_text"]) == ("completed", "one two")
