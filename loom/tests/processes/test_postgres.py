"""A whole Loom on PostgreSQL and Redis: real servers, several processes, spoken to as users and programs do."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from typing import Any

import pytest

from loom.tests.fixtures import Loom
from loom.tests.running import wait_until
from loom.tests.servers import PostgresServer
from loom.tests.visiting import (
    LOGS_TIMEOUT_S,
    Prompt,
    SessionPage,
    another_web_process,
    manage,
    newest_run,
    newest_session_id,
    rows,
    status_of,
)

pytestmark = pytest.mark.services


def test_an_empty_database_becomes_a_loom_that_answers_and_measures(loom_on_services: Loom) -> None:
    agent_id = loom_on_services.agent_id("travel_concierge")
    answer = Prompt(loom_on_services, agent_id, "Two days in Ghent").finish()

    assert [event for event, _ in answer.events if event != "chunk"] == ["session_start", "session_end"]
    path = f"/api/agents/{agent_id}/sessions/{answer.session_id}/latency"
    wait_until(lambda: loom_on_services.get(path)[0] == 200, "the worker found the start", LOGS_TIMEOUT_S)
    _, latency = loom_on_services.get(path)
    [truth] = loom_on_services.emulator.invocations(answer.session_id)
    assert latency["start_kind"] == truth["start_kind"]
    assert 0 < latency["startup_latency_ms"] < latency["high_ms"]
    run = newest_run(loom_on_services)
    assert (run.row["status"], run.row["response_text"]) == ("completed", "".join(answer.chunks()))
    assert run.is_gapless


def test_a_queued_task_runs(loom_on_services: Loom) -> None:
    code = "from django_q.tasks import async_task, result; print(result(async_task('math.factorial', 5), wait=60000))"

    assert manage(loom_on_services, "shell", "--no-imports", "--command", code) == "120\n"


def test_two_prompts_at_once_are_one_invocation_and_one_refusal(loom_on_services: Loom) -> None:
    agent_id = loom_on_services.agent_id("travel_concierge")
    session_id = str(uuid.uuid4())
    with another_web_process(loom_on_services) as other:
        # First both have to make the session, then it is there.
        for turn in (1, 2):
            prompts = [
                Prompt(loom, agent_id, f"Turn {turn}", session_id=session_id) for loom in (loom_on_services, other)
            ]
            answered, refused = sorted((prompt.finish() for prompt in prompts), key=lambda prompt: prompt.status)

            assert (answered.status, answered.events[-1][0]) == (200, "session_end")
            assert (refused.status, refused.refusal["error"]) == (409, "session_busy")
            assert len(loom_on_services.emulator.invocations(session_id)) == turn


def test_the_same_request_at_two_processes_is_one_run(loom_on_services: Loom) -> None:
    agent_id, key = loom_on_services.agent_id("travel_concierge"), str(uuid.uuid4())
    with another_web_process(loom_on_services) as other:
        doors = (loom_on_services, other, loom_on_services, other)
        prompts = [Prompt(loom, agent_id, "Two days in Ghent", request_key=key) for loom in doors]
        answers = [prompt.finish() for prompt in prompts]
        answers.append(Prompt(other, agent_id, "Two days in Ghent", request_key=key).finish())

    assert {(answer.status, answer.events[-1][0]) for answer in answers} == {(200, "session_end")}
    assert len({answer.session_id for answer in answers}) == 1
    assert len({"".join(answer.chunks()) for answer in answers}) == 1
    assert len(loom_on_services.emulator.invocations(answers[0].session_id)) == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("text", {"status": "completed", "response_text": "one\ufffdtwo three\ufffdfour", "error_code": ""}),
        (
            "error",
            {
                "status": "failed",
                "error_message": "one\ufffdtwo",
                "error_code": "agent_error",
                "agent_error_type": 100 * "E",
            },
        ),
        ("usage", {"status": "completed", "input_token_count": 2_147_483_647, "output_token_count": 7}),
    ],
)
def test_what_no_column_can_hold_is_stored_as_far_as_it_can(
    loom_on_services: Loom, wanted: str, expected: dict[str, Any]
) -> None:
    Prompt(loom_on_services, loom_on_services.agent_id("hostile"), wanted).finish()

    invocation = newest_run(loom_on_services).row
    assert {key: invocation[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"prompt": "a\0b"}, "invalid"),
        ({"prompt": "a\ud800b"}, "invalid"),
        ({"prompt": "a", "session_id": "a" * 40 + "\0"}, "invalid"),
        ({"prompt": "a", "session_id": "a" * 40 + "\ud800"}, "invalid"),
        ({"prompt": "a", "qualifier": "DEFAULT\0"}, "unknown_qualifier"),
        ({"prompt": "a", "qualifier": "DEFAULT\ud800"}, "unknown_qualifier"),
    ],
)
def test_a_body_that_cannot_be_stored_is_refused(loom_on_services: Loom, body: dict[str, str], error: str) -> None:
    agent_id = loom_on_services.agent_id("hostile")

    status, answer = loom_on_services.post(f"/api/agents/{agent_id}/invoke", body)

    assert (status, answer["error"]) == (400, error)


def test_an_address_that_cannot_be_looked_up_is_refused(loom_on_services: Loom) -> None:
    agent_id = loom_on_services.agent_id("hostile")

    assert status_of(loom_on_services, f"/api/agents/{agent_id}/sessions/a%00b/latency") == 400
    assert status_of(loom_on_services, f"/api/agents/{agent_id}/sessions/a%ED%A0%80b/latency") == 404
    assert status_of(loom_on_services, "/agents/?q=%00") == 200
    assert status_of(loom_on_services, "/sessions/?agent=%00") == 200
    assert status_of(loom_on_services, "/sessions/?agent=%C2%B2") == 200
    assert loom_on_services.post("/api/agents", {"arn": "arn:\0"})[0] == 400


def test_a_prompt_typed_on_a_page_is_refused_or_stored_replaced(loom_on_services: Loom) -> None:
    Prompt(loom_on_services, loom_on_services.agent_id("travel_concierge"), "Two days in Ghent").finish()
    with SessionPage(loom_on_services, newest_session_id(loom_on_services)) as page:
        page.send(action="invoke", prompt="a\0b")
        assert "Null characters are not allowed." in page.read_until('class="field-error"')

        page.send(action="invoke", prompt="a\ud800b")
        page.read_until("^(end|finished)")
    invocation = newest_run(loom_on_services).row
    assert (invocation["status"], invocation["prompt"]) == ("completed", "a?b")


def test_a_crowd_leaves_no_connections_behind(loom_on_services: Loom, postgres: PostgresServer) -> None:
    agent_id = loom_on_services.agent_id("travel_concierge")
    paths = ["/agents/", "/api/agents", "/sessions/", "/operate/"]
    for path in paths:
        status_of(loom_on_services, path)
    before = postgres.connection_count()
    loom_on_services.emulator.order(kind="silence", after_chunks=5, seconds=5, count=10)
    prompts = [Prompt(loom_on_services, agent_id, "Two days in Ghent") for _ in range(10)]
    for prompt in prompts:
        prompt.wait_for_chunks(1)
    for path in paths * 10:
        assert status_of(loom_on_services, path) == 200

    # Streams that run hold none either. The recorder and what follows recordings keep a few, whatever the crowd.
    assert postgres.connection_count() <= before + 5
    for prompt in prompts:
        assert prompt.finish().events[-1][0] == "session_end"


def test_pages_and_queued_runs_leave_no_connections_behind(loom_on_services: Loom, postgres: PostgresServer) -> None:
    loom = loom_on_services
    agent_id = loom.agent_id("travel_concierge")
    Prompt(loom, agent_id, "Two days in Ghent").finish()
    public_id = newest_session_id(loom)
    before = postgres.connection_count()
    with ExitStack() as opened:
        pages = [opened.enter_context(SessionPage(loom, public_id)) for _ in range(20)]
        for page in pages:
            page.join()
        status, series = loom.post(
            f"/api/agents/{agent_id}/start-series", {"count": 6, "prompt": "Two days in Ghent", "warm_turn": False}
        )
        assert status == 202, series
        pages[0].send(action="invoke", prompt="Three days in Ghent")
        for page in pages:
            page.read_until("^(end|finished)")

        # What is asked for a page, and for a run out of the queue, is asked in threads that go on, not in one for each.
        assert postgres.connection_count() <= before + 5
    path = f"/api/start-series/{series['id']}"
    wait_until(lambda: loom.get(path)[1]["state"] == "done", "the queued runs ended")
    assert postgres.connection_count() <= before + 5


def test_a_killed_web_process_leaves_an_interrupted_run_without_a_gap(loom_on_services: Loom) -> None:
    """The worker finds out; nothing is restarted that could."""
    loom = loom_on_services
    with another_web_process(loom) as other:
        loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)
        prompt = Prompt(other, loom.agent_id("travel_concierge"), "Two days in Ghent")
        prompt.wait_for_chunks(1)
        with SessionPage(loom, newest_session_id(loom)) as page:
            page.read_until(r'data-part="tail"><p dir|^answer.*\n<p dir')  # text, by the other process
            wait_until(lambda: bool(newest_run(loom).text), "some of it is recorded")
            other.process.kill()
            page.read_until("^(end|finished)")
            end = [message for message in page.messages if "<article" in message][-1]
    assert "The Loom process that streamed this answer ended." in end
    run = newest_run(loom)
    assert (run.row["status"], run.row["error_code"], run.is_gapless) == ("interrupted", "interrupted", True)
    assert run.row["response_text"] == run.text != ""
    assert "".join(prompt.finish().chunks()).startswith(run.text)


@pytest.mark.slow("starts more processes of a whole Loom")
def test_a_restart_of_postgresql_is_outlived(loom_on_services: Loom, postgres: PostgresServer) -> None:
    """Readiness tells, a running answer is recorded without a gap, pages go on, and no process is replaced."""
    loom = loom_on_services
    processes = {row["pk"] for row in rows(loom, "core.process") if row["ended_at"] is None}
    assert status_of(loom, "/readyz") == 200
    loom.emulator.order(kind="silence", after_chunks=20, seconds=15)
    prompt = Prompt(loom, loom.agent_id("travel_concierge"), "Two days in Ghent")
    prompt.wait_for_chunks(1)

    postgres.stop()
    wait_until(lambda: status_of(loom, "/readyz") == 503, "the missing database was noticed")
    assert status_of(loom, "/healthz") == 200
    postgres.start()
    wait_until(lambda: status_of(loom, "/readyz") == 200, "the database was found again")

    assert [status_of(loom, path) for path in ("/agents/", "/sessions/", "/api/agents")] == [200, 200, 200]
    assert prompt.finish().events[-1][0] == "session_end"
    run = newest_run(loom)
    assert run.row["response_text"] == run.text == "".join(prompt.chunks())
    assert run.is_gapless
    assert {row["pk"] for row in rows(loom, "core.process") if row["ended_at"] is None} == processes


def test_tasks_run_after_a_restart_of_postgresql(loom_on_services: Loom, postgres: PostgresServer) -> None:
    postgres.stop()
    postgres.start()

    test_a_queued_task_runs(loom_on_services)
