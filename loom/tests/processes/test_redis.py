"""Several web processes that hear each other: through Redis, and without it through the table of notices."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from loom.tests.fixtures import Loom
from loom.tests.servers import RedisServer
from loom.tests.visiting import (
    LOGS_TIMEOUT_S,
    Prompt,
    SessionPage,
    another_web_process,
    get_page,
    newest_run,
    newest_session_id,
    rows,
)

pytestmark = [pytest.mark.services, pytest.mark.slow("each starts two web processes")]


def output_of(html: str) -> str:
    """The answer of the last turn in a page or in a message."""
    outputs: list[str] = re.findall(r'<div class="md" data-part="output">(.*?)</div>\n', html, re.DOTALL)
    return outputs[-1]


def stop_from_elsewhere(runs: Loom, sees: Loom) -> str:
    """Let a session answer in one process, stop it from a page of the other; return the session's public id."""
    runs.emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    prompt = Prompt(runs, runs.agent_id("travel_concierge"), "Two days in Ghent")
    prompt.wait_for_chunks(1)
    public_id = newest_session_id(sees)
    with SessionPage(sees, public_id) as page:
        page.read_until('data-part="tail"|^answer')
        page.send(action="stop")
        page.read_until("^(end|finished)")
        end = [message for message in page.messages if "<article" in message][-1]

    assert "Stopped" in end and "is-running" not in end
    event, data = prompt.finish().events[-1]
    assert (event, data["message"], data["reason"]) == ("error", "stopped", "stopped")
    run = newest_run(sees)
    assert (run.row["status"], run.is_gapless) == ("stopped", True)
    assert run.row["response_text"] == run.text == "".join(prompt.chunks())
    return public_id


def follow_from_elsewhere(runs: Loom, sees: Loom, public_id: str) -> None:
    """Let a session answer in one process while a page of the other is open: all of it appears there by itself."""
    session_id = re.search(r'data-copy="([0-9a-f-]{36})"', get_page(runs, f"/sessions/{public_id}/"))
    assert session_id is not None
    runs.emulator.order(kind="silence", after_chunks=20, seconds=4)  # the agent pauses in the middle of its answer
    with SessionPage(sees, public_id) as page:
        page.join()
        prompt = Prompt(runs, runs.agent_id("travel_concierge"), "Two days in Bruges", session_id=session_id[1])
        assert "Two days in Bruges" in page.read_until("<article")  # the other process was told: it had begun
        page.read_until("^(end|finished)")
        frames = [message for message in page.messages if message.startswith(("answer", "words"))]
        end = [message for message in page.messages if "<article" in message][-1]
        page.read_until("^measurement", LOGS_TIMEOUT_S)

    assert prompt.finish().events[-1][0] == "session_end"
    assert len(set(frames)) > 1  # as it was spoken, not at the end
    assert output_of(end) == output_of(get_page(runs, f"/sessions/{public_id}/"))


def test_through_redis(loom_on_services: Loom) -> None:
    with another_web_process(loom_on_services) as other:
        public_id = stop_from_elsewhere(loom_on_services, other)
        follow_from_elsewhere(other, loom_on_services, public_id)

    assert rows(loom_on_services, "core.notice") == []


def test_through_the_table_of_notices(loom: Loom) -> None:
    with another_web_process(loom) as other:
        public_id = stop_from_elsewhere(loom, other)
        follow_from_elsewhere(other, loom, public_id)

    kinds = {row["kind"].partition(":")[0] for row in rows(loom, "core.notice")}
    assert kinds >= {"started", "finished", "measurement"}


@pytest.fixture
def redis_for_a_while(redis_server: RedisServer) -> Iterator[RedisServer]:
    """Redis that a test may stop; it runs again afterwards."""
    yield redis_server
    if not redis_server.is_up():
        redis_server.start()


def test_redis_may_be_away_and_come_back(loom_on_services: Loom, redis_for_a_while: RedisServer) -> None:
    """Answers need no Redis; pages hear of each other again once it is there."""
    agent_id = loom_on_services.agent_id("travel_concierge")
    Prompt(loom_on_services, agent_id, "Two days in Ghent").finish()
    public_id = newest_session_id(loom_on_services)
    with SessionPage(loom_on_services, public_id) as page:
        page.join()
        redis_for_a_while.stop()
        with pytest.raises(ConnectionClosed) as closed:
            page.read_until("nothing more comes")
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012  # the browser connects again
    prompt = Prompt(loom_on_services, agent_id, "Two days in Ghent").finish()
    assert prompt.events[-1][0] == "session_end"
    assert newest_run(loom_on_services).row["response_text"] == "".join(prompt.chunks())

    redis_for_a_while.start()
    with another_web_process(loom_on_services) as other:
        follow_from_elsewhere(loom_on_services, other, newest_session_id(loom_on_services))

    # Also the first of the process that was cut off, which still has its old connection.
    with SessionPage(loom_on_services, public_id) as page:
        page.join()
