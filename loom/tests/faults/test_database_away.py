"""PostgreSQL goes away under a whole Loom and comes back: who asks is told, who follows gets the rest."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loom.tests.fixtures import running_loom
from loom.tests.running import wait_until
from loom.tests.servers import PostgresServer
from loom.tests.visiting import Prompt, another_web_process, newest_session_id, status_of

pytestmark = [pytest.mark.services, pytest.mark.slow("starts a whole Loom with a second web process")]


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """PostgreSQL that a test may stop; it runs again afterwards."""
    yield postgres
    if not postgres.is_up():
        postgres.start()


def ask(url: str, accept: str) -> tuple[int, str, str]:
    """The status, Retry-After and the body of an answer, whatever it is."""
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 -- loopback
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- loopback
            return answer.status, "", answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Retry-After", ""), error.read().decode()


class Follower:
    """Reads a run's events over the API in a thread."""

    def __init__(self, url: str) -> None:
        self.text, self.ended_with, self.kept_alive = "", "", 0
        self._url = url
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        event = ""
        with urllib.request.urlopen(self._url, timeout=120) as lines:  # noqa: S310 -- loopback
            for raw in lines:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    data: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    self.text += data["text"] if event == "chunk" else ""
                    self.ended_with = event if event in {"session_end", "error"} else ""


def test_a_database_that_is_away_for_a_while(database: PostgresServer, tmp_path: Path) -> None:
    with (
        running_loom(tmp_path, DATABASE_URL=database.create_database("away")) as loom,
        another_web_process(loom) as other,
    ):
        agent_id = loom.agent_id("travel_concierge")
        loom.emulator.order(kind="silence", after_chunks=5, seconds=12)
        prompt = Prompt(loom, agent_id, "Two days in Ghent")
        prompt.wait_for_chunks(1)
        follower = Follower(f"{other.url}/api/agents/{agent_id}/sessions/{prompt.session_id}/events?since=0")
        wait_until(lambda: follower.text != "", "the other process tells what was said")
        page, public_id = "/agents/", newest_session_id(loom)
        log = tmp_path / "output.log"
        before = len(log.read_text().splitlines())
        database.stop()

        for url in (loom.url, other.url):
            status, retry_after, body = ask(url + page, "text/html")
            assert (status, retry_after) == (503, "5")
            assert "database cannot be reached" in body and "<h1>" in body
            status, retry_after, body = ask(f"{url}/api/agents", "*/*")
            assert (status, retry_after, json.loads(body)["error"]) == (503, "5", "unavailable")
            assert ask(f"{url}/sessions/{public_id}/", "text/html")[0] == 503
            assert status_of(loom, "/healthz") == 200 and status_of(loom, "/readyz") == 503
        database.start()
        prompt.finish()
        follower.thread.join(120)

        assert prompt.events[-1][0] == follower.ended_with == "session_end"
        assert follower.text == "".join(prompt.chunks())
        wait_until(lambda: status_of(other, page) == 200, "pages are there again")
        wait_until(lambda: status_of(loom, "/readyz") == 200, "it can store again")
        said = log.read_text().splitlines()[before:]
        assert not any("Traceback" in line for line in said), "\n".join(said)
        assert len(said) < 60, "\n".join(said)
