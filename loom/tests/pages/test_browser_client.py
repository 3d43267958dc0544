"""Loom's API from a script of a browser: the client module, and the events of a POST."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page

from loom.api import api
from loom.tests.fixtures import ROOT, Loom

pytestmark = pytest.mark.browser
SOURCE = (ROOT / "static" / "js" / "client.js").read_text()
READ = """async (pieces) => {
  const { readEvents } = await import("/static/js/sse-post.js");
  const bytes = new ReadableStream({ start(body) {
    for (const piece of pieces) body.enqueue(new Uint8Array(piece));
    body.close();
  } });
  const events = [];
  for await (const event of readEvents(new Response(bytes))) events.push(event);
  return events;
}"""
STREAM = (
    b': nothing yet\n\nid: 1\nevent: session_start\ndata: {"session_id": "s"}\n\n'
    b'id: 2\r\nevent: chunk\r\ndata: {"text": "\xc3\xa9\xf0\x9f\x98\x80"}\r\n\r\n'
    b'data: {"a":\ndata: 1}\n\nid: 4\nevent: chunk\ndata: {"text": "cut o'
)
EVENTS = [
    {"number": 1, "name": "session_start", "data": {"session_id": "s"}},
    {"number": 2, "name": "chunk", "data": {"text": "é😀"}},
    {"number": 0, "name": "message", "data": {"a": 1}},
]


@pytest.fixture
def own_page(page: Page, loom: Loom) -> Page:
    """A page of Loom's, from which its modules can be imported."""
    page.goto(f"{loom.url}/sessions/")
    return page


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_events_are_the_same_however_they_are_cut(own_page: Page, size: int) -> None:
    pieces = [list(STREAM[start : start + size]) for start in range(0, len(STREAM), size)]
    assert own_page.evaluate(READ, pieces) == EVENTS


def test_the_client_has_every_operation_of_the_api() -> None:
    paths: dict[str, dict[str, Any]] = api.get_openapi_schema(path_prefix="")["paths"]
    wanted = {(method.upper(), re.sub(r"\{\w+\}", "{}", path)) for path, methods in paths.items() for method in methods}
    called = re.findall(
        r'"(GET|POST|PUT|PATCH|DELETE)", [`"]([^`"]+)[`"]', re.sub(r"\$\{queryOf\(query\)\}", "", SOURCE)
    )
    found = {(method, re.sub(r"\$\{[^}]+\}", "{}", path)) for method, path in called}
    found.add(("GET", "/agents/{}/sessions/{}/events"))  # whose path stands on a line of its own
    assert found == wanted


def test_a_script_invokes_follows_and_is_refused(own_page: Page, loom: Loom) -> None:
    agent = loom.agent_id("sentiment_scorer")
    said = own_page.evaluate(
        """async (agent) => {
          const { ApiError, Client } = await import("/static/js/client.js");
          const client = new Client();
          const events = [];
          for await (const event of client.invoke(agent, { prompt: "Lovely" })) events.push(event);
          const { session_id } = events[0].data;
          const again = [];
          for await (const event of client.follow(agent, session_id, { invocation: 1, since: 0 })) again.push(event);
          const session = await client.session(agent, session_id);
          const refusal = await client.agent(987654).catch((error) => error);
          return { names: events.map((event) => event.name), again: again.map((event) => event.name),
            agents: (await client.agents()).map((one) => one.id), status: session.invocations[0].status,
            refusal: [refusal instanceof ApiError, refusal.status, refusal.code] };
        }""",
        agent,
    )
    assert said["names"] == said["again"] and said["names"][0] == "session_start" and "chunk" in said["names"]
    assert said["names"][-1] == "session_end" and said["status"] == "complete" and agent in said["agents"]
    assert said["refusal"][:2] == [True, 404] and said["refusal"][2]


def test_a_script_types_ahead_repeats_a_run_and_takes_it_out(own_page: Page, loom: Loom) -> None:
    agent = loom.agent_id("sentiment_scorer")
    said = own_page.evaluate(
        """async (agent) => {
          const { Client } = await import("/static/js/client.js");
          const client = new Client();
          let session;
          for await (const { data } of client.invoke(agent, { prompt: "Lovely" })) session ??= data.session_id;
          const [run] = (await client.session(agent, session)).invocations;
          const twice = [];
          for (let time = 0; time < 2; time++) {
            twice.push((await client.repeat(run.id, { is_fresh: true }, { requestKey: "again" })).id);
          }
          const queued = await client.enqueue(agent, session, { prompt: "And then?" });
          const file = await (await client.exportRun(run.id, { format: "evidence" })).blob();
          const unknown = await client.changeQueued(agent, session, 987654, { position: 1 })
            .catch((error) => error.status);
          const link = await client.share(agent, session);
          return { run: run.id, twice, queued, unknown, verdict: await client.checkEvidence(file), link: link.id,
            revoked: await client.revokeLink(agent, session, link.id), cleared: await client.clearQueue(agent, session),
            runs: (await client.runs()).items.map((one) => one.id),
            compared: (await client.compare({ runs: [run.id, twice[0]].join() })).runs.map((one) => one.run_id),
            targets: (await client.compare({ target: [`${agent}:DEFAULT:`, `${agent}`] }))
              .targets.map((one) => one.target) };
        }""",
        agent,
    )
    first, second = said["twice"]
    assert first == second != said["run"]
    assert said["queued"]["invocation"] == 2 and said["unknown"] == 404 and said["cleared"] == {"removed_count": 0}
    assert said["verdict"]["is_intact"] and said["verdict"]["is_signed_here"]
    assert said["compared"] == [said["run"], first]
    assert said["targets"] == [f"{agent}:DEFAULT:", f"{agent}::"]
    assert said["link"] and said["revoked"] is None and {said["run"], first} <= set(said["runs"])
