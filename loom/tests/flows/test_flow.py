"""The whole flow through real processes: emulator, web and worker, spoken to over HTTP and WebSocket alone."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from loom.tests.fixtures import Loom
from loom.tests.running import wait_until
from loom.tests.visiting import LOGS_TIMEOUT_S, Prompt, SessionPage, manage, newest_session_id


def invoke(loom: Loom, agent_id: int, prompt: str, **body: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Invoke over the API; yield (event, data) as it comes."""
    data = json.dumps({"prompt": prompt, **body}).encode()
    request = urllib.request.Request(  # noqa: S310 -- loopback
        f"{loom.url}/api/agents/{agent_id}/invoke", data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 -- loopback
        event = ""
        for raw in answer:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield event, json.loads(line.removeprefix("data: "))


def measured(loom: Loom, agent_id: int, session_id: str) -> tuple[list[int], dict[str, Any]]:
    """Ask for the latency until CloudWatch told it; return the statuses seen and the answer."""
    statuses: list[int] = []
    deadline = time.monotonic() + LOGS_TIMEOUT_S
    while time.monotonic() < deadline:
        status, body = loom.get(f"/api/agents/{agent_id}/sessions/{session_id}/latency")
        statuses.append(status)
        if status == 200:
            return statuses, body
        time.sleep(0.25)
    raise AssertionError(f"no start found: {body}")


def test_a_prompt_is_answered_as_it_is_spoken_and_its_start_is_found_in_the_logs(loom: Loom) -> None:
    """S0-002, S0-051 … S0-063, S0-120: the headline, against what really happened."""
    agent_id = loom.agent_id("travel_concierge")
    loom.emulator.order(kind="silence", after_chunks=20, seconds=4)  # the agent pauses in the middle of its answer
    events: list[tuple[str, dict[str, Any]]] = []
    last_byte_at: list[Any] = []
    for event, data in invoke(loom, agent_id, "Two days in Ghent"):
        events.append((event, data))
        if event == "chunk" and not last_byte_at:
            last_byte_at = [run["last_byte_at"] for run in loom.emulator.invocations(events[0][1]["session_id"])]

    names = [event for event, _ in events]
    assert names[0] == "session_start" and names[-1] == "session_end"
    assert last_byte_at == [None]  # handed on while the agent spoke, not at the end
    session_id = events[0][1]["session_id"]
    statuses, latency = measured(loom, agent_id, session_id)

    assert set(statuses[:-1]) <= {202}  # none at all where the logs came before anybody asked
    truth = loom.emulator.invocations(session_id)[0]
    started_ms = (datetime.fromisoformat(truth["started_at"]).timestamp() - events[0][1]["client_invoke_time"]) * 1000
    assert abs(latency["startup_latency_ms"] - started_ms) < 100  # the environment's clock is off by some milliseconds
    assert latency["is_cold"] is truth["is_cold"] is True
    assert latency["start_kind"] == truth["start_kind"]
    assert latency["cold_start_latency_ms"] == latency["startup_latency_ms"]
    assert latency["low_ms"] <= latency["startup_latency_ms"] <= latency["high_ms"]
    assert latency["source"] == "Returning streaming response"


def test_a_second_turn_is_warm_and_has_no_cold_start_latency(loom: Loom) -> None:
    agent_id = loom.agent_id("inventory_analyst")
    first_turn = list(invoke(loom, agent_id, "What is in stock?"))
    session_id = first_turn[0][1]["session_id"]
    list(invoke(loom, agent_id, "And deliveries?", session_id=session_id))
    _, latency = measured(loom, agent_id, session_id)

    truth = loom.emulator.invocations(session_id)[1]
    assert (latency["invocation"], truth["start_kind"]) == (2, "reused")
    assert (latency["is_cold"], latency["start_kind"], latency["cold_start_latency_ms"]) == (False, "reused", None)
    assert latency["startup_latency_ms"] is not None


def test_a_socket_shows_a_run_that_the_api_started_and_the_measurement_that_the_worker_made(loom: Loom) -> None:
    agent_id = loom.agent_id("code_tutor")
    first = Prompt(loom, agent_id, "Two days in Namur").finish()
    with SessionPage(loom, newest_session_id(loom)) as page:
        page.join()
        before = len(page.messages)
        loom.emulator.order(kind="silence", after_chunks=20, seconds=4)
        second = Prompt(loom, agent_id, "Two days in Dinant", session_id=first.session_id)
        page.read_until("^(end|finished)")
        # The first measurement that is told is the time to first token; the worker's comes after the end.
        page.read_until("^measurement", LOGS_TIMEOUT_S)
        second.finish()

    seen = page.messages[before:]
    frames = [message for message in seen if message.startswith(("answer", "words"))]
    assert len(frames) > 1
    assert any("Two days in Dinant" in message for message in seen)
    assert sum(message.startswith("end") for message in seen) == 1
    assert [run["client_gone_at"] for run in loom.emulator.invocations(first.session_id)] == [None, None]


def test_what_a_web_process_of_the_release_before_writes_is_soon_shown(loom: Loom) -> None:
    address = f"/api/agents/{loom.agent_id('sentiment_scorer')}"
    before = loom.get(address)[1]
    written = f"former_region='of_before', former_last_refreshed_at='{before['registered_at']}'"
    code = f"from apps.agents.models import Agent; Agent.objects.filter(pk={before['id']}).update({written})"

    manage(loom, "shell", "-c", code)

    wait_until(lambda: loom.get(address)[1]["region"] == "of_before", "the region is taken over")
    assert loom.post(f"{address}/refresh", {})[1]["region"] == before["region"]
