"""The Python client against a whole Loom: broken lines, leaving, tokens."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from loom.tests.fixtures import Loom
from loom.tests.relay import relay_to
from loom.tests.running import wait_until
from loom.tests.visiting import ANSWER_TIMEOUT_S, LOGS_TIMEOUT_S, manage, newest_run, newest_session_id
from loom_client import ApiError, Client


def test_an_answer_arrives_whole_over_a_line_that_breaks(loom: Loom) -> None:
    """S0-011. Each event once and in order, and the agent was asked once."""
    with relay_to(loom.url) as line:
        run = Client(line.url).invoke(loom.agent_id("code_tutor"), "Two days in Namur")
        numbers = []
        for event in run:
            numbers.append(event.number)
            if len(numbers) in {5, 40, 80}:
                line.cut()
                line.mend()

    stored = newest_run(loom)
    assert run.text == stored.text and stored.row["status"] == "completed"
    assert numbers[:-1] == sorted(set(numbers[:-1]))
    assert run.last is not None and run.last.name == "session_end"
    assert len(loom.emulator.invocations(run.session_id)) == 1


@pytest.mark.parametrize(("on_disconnect", "status"), [("stop", "stopped"), ("continue", "completed")])
def test_what_leaving_does_is_the_callers_choice(loom: Loom, on_disconnect: str, status: str) -> None:
    agent_id = loom.agent_id("travel_concierge")
    if on_disconnect == "stop":
        loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)  # or it could be over before that
    run = Client(loom.url).invoke(agent_id, "Two days in Ghent", on_disconnect=on_disconnect)
    while len(run.text) < 20:
        next(run)
    run.close()

    def is_over() -> bool:
        return newest_run(loom).row["status"] not in {"pending", "streaming"}

    wait_until(is_over, "the run is over")
    stored = newest_run(loom)
    assert stored.row["status"] == status
    assert stored.text.startswith(run.text)
    truth = loom.emulator.invocations(run.session_id)[0]
    assert (truth["client_gone_at"] is not None) is (status == "stopped")


def test_a_prompt_is_sent_side_by_side_and_its_answers_are_compared(loom: Loom) -> None:
    client = Client(loom.url)
    names = ["code_tutor", "sentiment_scorer"]
    plan = client.side_by_side("Two days in Namur", [(loom.agent_id(name), "DEFAULT") for name in names])
    wait_until(lambda: not client.plan(plan.id).is_running, "both have answered")
    compared = client.compare([run["run_id"] for run in plan.runs], first=2, second=1)

    assert [(run.agent_name, run.status) for run in compared.runs] == [(name, "completed") for name in names]
    assert (compared.first, compared.second, compared.obstacle) == (2, 1, "")
    assert compared.text is not None and compared.tools is not None
    assert {piece["kind"] for piece in compared.text["pieces"]} >= {"removed", "added"}


def test_a_latency_is_waited_for(loom: Loom) -> None:
    agent = Client(loom.url).find_agent("code_tutor")
    client = Client(loom.url)
    list(run := client.invoke(agent.id, "Two days in Namur"))
    latency = client.latency(agent.id, run.session_id, wait_s=LOGS_TIMEOUT_S)

    assert (latency.is_known, latency.state, latency.is_cold) == (True, "measured", True)
    assert client.logs(agent.id, run.session_id, search="Start time").events
    client.end(agent.id, run.session_id)
    session = client.session(agent.id, run.session_id)
    assert session.ended_at is not None
    assert (session.purpose, session.invocation_count) == ("conversation", 1)
    assert [(one.prompt, one.response, one.is_cold) for one in session.invocations] == [
        ("Two days in Namur", run.text, True)
    ]
    assert client.sessions(agent.id, limit=1, purpose="conversation")[0].session_id == run.session_id


@pytest.mark.slow("four commands")
def test_a_token_reaches_as_far_as_its_scope_and_no_further_than_its_end(loom: Loom) -> None:
    read, invoke = (
        manage(loom, "create_token", "--scope", scope, "--days", "1").strip() for scope in ("read", "invoke")
    )
    reader = Client(loom.url, read)
    agent = reader.find_agent("sentiment_scorer")
    with pytest.raises(ApiError) as refused:
        next(reader.invoke(agent.id, "Hi"))
    assert (refused.value.status, refused.value.code) == (403, "scope_missing")
    list(Client(loom.url, invoke).invoke(agent.id, "Hi"))

    address = f"{loom.socket_url}/ws/sessions/{newest_session_id(loom)}/"
    with connect(address, additional_headers={"Authorization": f"Bearer {invoke}"}) as socket:
        socket.send(json.dumps({"action": "invoke", "prompt": "Hi again"}))
        while (said := json.loads(socket.recv(timeout=ANSWER_TIMEOUT_S)))["kind"] != "turn":
            pass
        assert "Hi again" in said["html"]
    with connect(address, additional_headers={"Authorization": f"Bearer {read}"}) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401

    for secret in (read, invoke):
        manage(loom, "revoke_token", secret)
        with pytest.raises(ApiError) as revoked:
            Client(loom.url, secret).agents()
        assert (revoked.value.status, revoked.value.code) == (401, "token_refused")
