"""Clients of server-sent events on Loom's API: what they hear is whole, also after a broken connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sseclient
from httpx_sse import ServerSentEvent, connect_sse

from bench.clients.running import Loom


@pytest.fixture
def http(loom: Loom) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=loom.url, headers=loom.headers, timeout=60) as client:
        yield client


@pytest.fixture
def agent_id(http: httpx.Client) -> int:
    agents = http.get("/api/agents").raise_for_status().json()
    return next(agent["id"] for agent in agents if agent["name"] == "travel_concierge")


def text_of(events: list[Any]) -> str:
    return "".join(json.loads(event.data)["text"] for event in events if event.event == "chunk")


def invoke(http: httpx.Client, agent_id: int, most: int | None = None) -> list[ServerSentEvent]:
    """Invoke an agent with httpx-sse, and leave after so many events."""
    found = []
    path, body = f"/api/agents/{agent_id}/invoke", {"prompt": "Two days in Ghent"}
    with connect_sse(http, "POST", path, json=body) as source:
        for event in source.iter_sse():
            found.append(event)
            if len(found) == most:
                break
    return found


def test_a_whole_answer_is_heard_by_both(http: httpx.Client, agent_id: int) -> None:
    heard = invoke(http, agent_id)
    start = json.loads(heard[0].data)
    path = f"/api/agents/{agent_id}/sessions/{start['session_id']}/events?invocation={start['invocation']}"
    with http.stream("GET", path) as answer:
        again = list(sseclient.SSEClient(answer.iter_bytes()).events())

    assert [heard[0].event, heard[-1].event] == ["session_start", "session_end"]
    assert text_of(heard) == text_of(again) != ""
    assert [event.id for event in again if event.event == "chunk"] == [e.id for e in heard if e.event == "chunk"]


def test_a_broken_connection_goes_on_without_gap_or_repetition(http: httpx.Client, agent_id: int) -> None:
    heard = invoke(http, agent_id, most=2)
    start = json.loads(heard[0].data)
    path = f"/api/agents/{agent_id}/sessions/{start['session_id']}/events"
    with connect_sse(
        http, "GET", path, params={"invocation": start["invocation"]}, headers={"Last-Event-ID": heard[-1].id}
    ) as source:
        rest = list(source.iter_sse())
    with connect_sse(http, "GET", path, params={"invocation": start["invocation"]}) as source:
        whole = list(source.iter_sse())

    # A standard EventSource comes back after the end, and stops where it hears that nothing follows.
    ended = http.get(path, params={"invocation": start["invocation"]}, headers={"Last-Event-ID": rest[-1].id})

    assert ended.status_code == 204
    assert text_of(heard) + text_of(rest) == text_of(whole)
    assert [event.event for event in rest].count("session_end") == 1
