"""A process that was paused and declared dead wakes up in the middle of a run."""

from __future__ import annotations

import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.sessions.events import answer_text
from apps.sessions.housekeeping import interrupt_orphans
from apps.sessions.models import Invocation, RecordingBatch, Session
from apps.sessions.selectors import events_after
from apps.sessions.services import start_invocation
from loom.tests.running import PATIENCE_S, Running, wait_until
from loom.tests.test_worker import url_of_this_database

HALF = "".join(f"{number} " for number in range(20))
LINES = b"".join(b'data: "%d "\n\n' % number for number in range(20))


@contextmanager
def agent_in_two_halves() -> Iterator[tuple[int, threading.Event]]:
    """An agent that says half of its answer and the other half when it is told to; yields its port and the word."""
    go_on = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                received = b""
                while b"}" not in received.partition(b"\r\n\r\n")[2]:
                    received += connection.recv(65536)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                connection.sendall(head + LINES)
                go_on.wait(PATIENCE_S)
                connection.sendall(LINES)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], go_on
        finally:
            go_on.set()
            thread.join(PATIENCE_S)


def snapshot(invocation: Invocation) -> list[Any]:
    """All that is stored of a run."""
    batches = RecordingBatch.objects.filter(invocation=invocation)
    return [*Invocation.objects.filter(pk=invocation.pk).values(), *batches.values()]


@pytest.mark.django_db(transaction=True)
def test_a_process_that_was_declared_dead_overwrites_nothing(make_session: Callable[..., Session]) -> None:
    invocation = start_invocation(session=make_session(), prompt="go", process_id=None)
    with agent_in_two_halves() as (port, go_on):
        environment = {"DATABASE_URL": url_of_this_database(), "EMULATOR_PORT": str(port)}
        with Running("-m", "loom.tests.lone_engine", str(invocation.pk), environment=environment) as running:
            wait_until(lambda: answer_text(events_after(invocation.pk)) == HALF, "the first half is recorded")
            running.process.send_signal(signal.SIGSTOP)
            assert interrupt_orphans(timezone.now() + timedelta(seconds=9)) == 1
            interrupted = snapshot(invocation)
            go_on.set()
            running.process.send_signal(signal.SIGCONT)
            line = running.wait_for_line("over after")
            assert running.wait_for_end() == 0

    row = Invocation.objects.get()
    assert snapshot(invocation) == interrupted
    assert (row.status, row.error_code) == ("interrupted", "interrupted")
    assert [event["seq"] for event in events_after(row.pk)] == list(range(1, row.last_sequence + 1))
    assert row.response_text == HALF
    said = re.search(r"over after (\d+) events", line)
    assert said and int(said[1]) > row.last_sequence  # it had more to write
