"""A web process that is asked to end, that is paused, and one that starts where others have died."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from apps.core.models import Process
from apps.sessions.models import Invocation, Session
from loom.processes.start_all import web_spec
from loom.tests.fixtures import Loom
from loom.tests.running import PATIENCE_S, Running, free_port, wait_until
from loom.tests.this_database import url_of_this_database
from loom.tests.visiting import (
    Prompt,
    SessionPage,
    StoredRun,
    another_web_process,
    newest_run,
    newest_session_id,
    rows,
    status_of,
)


class HalfSentPrompt:
    """A prompt of which the web server has the head and not yet the body."""

    def __init__(self, loom: Loom, agent_id: int) -> None:
        self._body = json.dumps({"prompt": "Too late"}).encode()
        address = urlsplit(loom.url)
        assert address.hostname and address.port
        self._socket = socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)
        head = (
            f"POST /api/agents/{agent_id}/invoke HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self._body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + self._body[:1])

    def finish(self) -> tuple[int, dict[str, Any]]:
        """Send the rest; return the status and the body of the answer."""
        with self._socket:
            self._socket.sendall(self._body[1:])
            response = http.client.HTTPResponse(self._socket)
            response.begin()
            return response.status, json.loads(response.read())


def has_begun(run: StoredRun, prompt: str) -> bool:
    """Whether this is the run of the prompt, and the agent answers it."""
    return run.row["prompt"] == prompt and run.row["first_chunk_at"] is not None


@pytest.mark.slow("starts web processes beside a whole Loom")
def test_a_web_process_that_ends_lets_runs_end_and_its_viewers_go_on_elsewhere(loom: Loom) -> None:
    """Of two runs one ends by itself within the 20 s, the other does not.

    The process serves one request at a time: neither a stream, nor a view that waits for an agent, nor a slow sender
    takes the turn of others.
    """
    with another_web_process(replace(loom, environment={**loom.environment, "MAX_REQUESTS": "1"})) as ending:
        loom.emulator.order(kind="silence", after_chunks=10, seconds=3_600)
        silent = Prompt(ending, loom.agent_id("travel_concierge"), "Two days in Ghent")
        silent.wait_for_chunks(1)
        public_id = newest_session_id(loom)
        late = HalfSentPrompt(ending, loom.agent_id("travel_concierge"))
        loom.emulator.order(kind="silence", after_chunks=10, seconds=3_600)
        waiting = Prompt(ending, loom.agent_id("travel_concierge"), "Two days in Liège", stream=False)
        wait_until(lambda: has_begun(newest_run(loom), "Two days in Liège"), "the agent has the other prompt too")
        with SessionPage(loom, public_id) as elsewhere, SessionPage(ending, public_id) as here:
            for page in (elsewhere, here):
                page.read_until(r'data-part="tail"><p dir|^answer.*\n<p dir')
            speaking = Prompt(ending, loom.agent_id("code_tutor"), "Two days in Namur")
            speaking.wait_for_chunks(1)
            ending.process.send_signal(signal.SIGTERM)

            with pytest.raises(ConnectionClosed) as closed:
                here.read_until("nothing more comes")
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
            wait_until(lambda: status_of(ending, "/healthz") == 0, "nobody new is let in")
            status, refusal = late.finish()
            assert (status, refusal["error"]) == (503, "shutting_down")

            with SessionPage(loom, public_id) as again:  # as the browser does
                for page in (elsewhere, again):
                    page.read_until("^(end|finished)")
                    end = [message for message in page.messages if "<article" in message][-1]
                    assert "Loom was stopped while the agent was answering." in end
        assert speaking.finish().events[-1][0] == "session_end"
        event, data = silent.finish().events[-1]
        assert (event, data["reason"]) == ("error", "interrupted")
        assert (waiting.finish().status, waiting.refusal["details"]["reason"]) == (503, "interrupted")
        assert ending.process.wait(PATIENCE_S) == -signal.SIGTERM

    runs = {row["prompt"]: row for row in rows(loom, "agent_sessions.invocation")}
    assert runs["Two days in Namur"]["status"] == "completed"
    assert runs["Two days in Namur"]["response_text"] == "".join(speaking.chunks())
    assert runs["Two days in Ghent"]["status"] == "interrupted"
    assert runs["Two days in Ghent"]["response_text"] == "".join(silent.chunks())
    assert "Too late" not in runs


@pytest.mark.slow("starts web processes beside a whole Loom")
def test_a_process_that_was_paused_for_too_long_goes_on_under_a_new_id(loom: Loom) -> None:
    with another_web_process(loom) as paused:
        loom.emulator.order(kind="silence", after_chunks=10, seconds=3_600)
        lost = Prompt(paused, loom.agent_id("travel_concierge"), "Two days in Ghent")
        lost.wait_for_chunks(1)
        with SessionPage(loom, newest_session_id(loom)) as page:
            page.read_until(r'data-part="tail"><p dir|^answer.*\n<p dir')
            paused.process.send_signal(signal.SIGSTOP)
            page.read_until("^(end|finished)")  # the worker took it for dead
        interrupted = newest_run(loom)
        assert (interrupted.row["status"], interrupted.is_gapless) == ("interrupted", True)

        paused.process.send_signal(signal.SIGCONT)

        assert lost.finish().events[-1][0] == "error"
        answered = Prompt(paused, loom.agent_id("travel_concierge"), "Two days in Bruges").finish()
        assert answered.events[-1][0] == "session_end"
        old, new = [row for row in rows(loom, "core.process") if row["pid"] == paused.process.pid][:2]
        if old["started_at"] > new["started_at"]:
            old, new = new, old
        assert old["ended_at"] is not None and new["ended_at"] is None
        assert (interrupted.row["process"], newest_run(loom).row["process"]) == (old["pk"], new["pk"])
        assert newest_run(loom).row["status"] == "completed"


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.django_db(transaction=True)
def test_a_starting_web_process_waits_before_it_takes_silence_for_death(make_session: Callable[..., Session]) -> None:
    """After a database was away every process is silent. There is no worker here that could have done it."""
    long_ago = timezone.now() - timedelta(minutes=1)
    dead = Process.objects.create(kind=Process.Kind.WEB, host="host", pid=1, started_at=long_ago, beat_at=long_ago)
    run = Invocation.objects.create(
        session=make_session(), number=1, status="streaming", requested_at=long_ago, process=dead
    )
    spec = web_spec({**os.environ})
    environment = {"DATABASE_URL": url_of_this_database()}
    with Running(*spec.argv[1:], f"--port={free_port()}", environment=environment):
        wait_until(lambda: not Invocation.objects.filter(pk=run.pk, status="streaming").exists(), "the run was ended")
        waited = timezone.now() - Process.objects.exclude(pk=dead.pk).get().started_at

    run.refresh_from_db()
    assert (run.status, run.error_code) == ("interrupted", "interrupted")
    assert waited >= timedelta(seconds=8)
