"""Several web processes behind one port, started and looked after by one supervisor."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from loom.tests.fixtures import Loom, running_loom
from loom.tests.running import wait_until
from loom.tests.servers import PostgresServer, RedisServer
from loom.tests.visiting import Prompt, SessionPage, newest_run, newest_session_id, rows, status_of

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc"),
    pytest.mark.slow("each part starts a whole Loom"),
]


@pytest.fixture(
    scope="module",
    params=["sqlite", *(pytest.param(name, marks=pytest.mark.services) for name in ("postgresql", "redis"))],
)
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loom]:
    """A whole Loom with two web processes on SQLite, on PostgreSQL, on PostgreSQL and Redis."""
    folder = tmp_path_factory.mktemp("two")
    if request.param == "sqlite":
        services = {"DATABASE_URL": f"sqlite:///{folder / 'loom.db'}"}
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        services = {"DATABASE_URL": postgres.create_database(f"two_{request.param}")}
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis_server")
        services["REDIS_URL"] = redis.url
    with running_loom(folder, WEB_PROCESSES="2", **services) as running:
        yield running


def web_pids(loom: Loom) -> dict[str, int]:
    """The living web processes of its supervisor by name."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            values = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile, or is not ours
        name = next((value[18:].decode() for value in values if value.startswith(b"LOOM_PROCESS_NAME=")), "")
        if parent == loom.process.pid and name.startswith("web"):
            found[name] = int(folder.name)
    return found


@contextmanager
def only(loom: Loom, name: str) -> Iterator[None]:
    """Who connects in this block gets to this process: the others stand still, for less time than makes them dead."""
    others = [pid for other, pid in web_pids(loom).items() if other != name]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def told(loom: Loom) -> dict[str, int]:
    """The web processes as `/readyz` tells them, with how often each was started again."""
    try:
        answer = urllib.request.urlopen(f"{loom.url}/readyz")  # noqa: S310 -- loopback
    except urllib.error.HTTPError as error:  # a check did not answer in time
        answer = error
    with answer:
        processes = json.load(answer)["processes"]
    return {process["name"]: process["restarts"] for process in processes if process["kind"] == "web"}


def answering(loom: Loom, *, for_s: int, request_key: str = "") -> Prompt:
    """A prompt whose agent says a few words, and then is silent for so long."""
    loom.emulator.order(kind="silence", after_chunks=20, seconds=for_s)
    prompt = Prompt(loom, loom.agent_id("travel_concierge"), "Two days in Ghent", request_key=request_key)
    prompt.wait_for_chunks(1)
    return prompt


def test_a_run_of_one_is_followed_from_the_other_each_token_once(two: Loom) -> None:
    wait_until(lambda: set(told(two)) == {"web 1", "web 2"}, "both are told")
    key = str(uuid.uuid4())
    with only(two, "web 1"):
        prompt = answering(two, for_s=10, request_key=key)
    with ExitStack() as opened:
        with only(two, "web 2"):
            page = opened.enter_context(SessionPage(two, newest_session_id(two)))
        page.read_until('data-part="tail"|^answer')
    with only(two, "web 2"):
        same = Prompt(two, two.agent_id("travel_concierge"), "Two days in Ghent", request_key=key)
        wait_until(lambda: len(same.events) > 0, "it is answered")
    same.wait_for_chunks(1)
    with SessionPage(two, newest_session_id(two)) as page:
        page.read_until("^(end|finished)")

    assert prompt.finish().events[-1][0] == same.finish().events[-1][0] == "session_end"
    run = newest_run(two)
    assert "".join(same.chunks()) == "".join(prompt.chunks()) == run.row["response_text"] == run.text
    assert run.is_gapless


def test_a_run_of_one_is_stopped_from_the_other(two: Loom) -> None:
    with only(two, "web 1"):
        prompt = answering(two, for_s=3_600)
    with ExitStack() as opened:
        with only(two, "web 2"):
            page = opened.enter_context(SessionPage(two, newest_session_id(two)))
        page.read_until('data-part="tail"|^answer')
        page.send(action="stop")
        page.read_until("^(end|finished)")

    assert prompt.finish().events[-1][1]["reason"] == "stopped"
    assert newest_run(two).row["status"] == "stopped"


def test_sixty_sockets_are_answered_round_after_round(two: Loom) -> None:
    """None is closed before its prompt, whichever process it got to."""
    agent_id = two.agent_id("sentiment_scorer")
    with ThreadPoolExecutor(max_workers=60) as threads:
        created = threads.map(lambda _: Prompt(two, agent_id, "Good").finish().session_id, range(60))
        sessions = set(created)
        assert len(sessions) == 60
        page = urllib.request.urlopen(f"{two.url}/sessions/?per_page=100").read().decode()  # noqa: S310 -- loopback
        public_ids = list(dict.fromkeys(re.findall(r'href="/sessions/([0-9a-f-]{36})/"', page)))
        assert len(public_ids) >= 25

        def answer(public_id: str) -> None:
            with SessionPage(two, public_id) as page:
                page.join()
                page.send(action="invoke", prompt="And on Sunday?")
                page.read_until("^(end|finished)")

        for _ in range(3):
            list(threads.map(answer, public_ids))


def test_who_is_killed_is_started_again_while_the_other_serves(two: Loom) -> None:
    before = told(two)
    with only(two, "web 2"):
        lost = answering(two, for_s=3_600)
        public_id = newest_session_id(two)
    with ExitStack() as opened:
        with only(two, "web 1"):
            kept = answering(two, for_s=5)
            page = opened.enter_context(SessionPage(two, public_id))
            page.read_until('data-part="tail"|^answer')
        os.kill(web_pids(two)["web 2"], signal.SIGKILL)
        assert [status_of(two, "/agents/") for _ in range(10)] == [200] * 10
        page.read_until("^(end|finished)")  # told by the one that serves on: it is interrupted

    assert kept.finish().events[-1][0] == "session_end"
    assert lost.finish().events[-1][0] == "chunk"
    wait_until(lambda: told(two).get("web 2", 0) > before["web 2"], "it runs again, and was counted")
    assert told(two)["web 1"] == before["web 1"]
    ended = [row for row in rows(two, "agent_sessions.invocation") if row["status"] == "interrupted"]
    assert ended and ended[-1]["error_code"] == "interrupted"
    with only(two, "web 2"):
        assert Prompt(two, two.agent_id("sentiment_scorer"), "Good").finish().events[-1][0] == "session_end"


def test_one_is_drained_while_the_other_serves(two: Loom) -> None:
    with only(two, "web 1"):
        prompt = answering(two, for_s=5)
        page = SessionPage(two, newest_session_id(two))
        page.__enter__()
        page.join()
    os.kill(web_pids(two)["web 1"], signal.SIGTERM)
    with pytest.raises(ConnectionClosed) as closed:
        page.read_until("nothing more comes")
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012  # the page goes to the other one
    page.__exit__(None, None, None)
    assert [status_of(two, "/agents/") for _ in range(10)] == [200] * 10

    assert prompt.finish().events[-1][0] == "session_end"
    assert newest_run(two).row["status"] == "completed"
    wait_until(lambda: set(web_pids(two)) == {"web 1", "web 2"}, "it was started again")
