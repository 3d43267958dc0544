"""Browsers that stop reading while a long answer streams to them through a real server and a real socket."""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from apps.sessions.models import Session
from loom.start_all import web_spec
from loom.tests.halting_agent import halting_agent
from loom.tests.running import PATIENCE_S, Running, free_port, wait_until
from loom.tests.test_worker import url_of_this_database

PARAGRAPH = b'data: "%s\\n\\n"\n\n' % (b"word " * 200)
PARAGRAPHS = 3000  # 3 MB in all
WORDS = 200 * PARAGRAPHS
MEGABYTE = 1 << 20


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def deaf_browser(port: int, path: str) -> socket.socket:
    """A socket that is open for the page, and of which nothing is read."""
    browser = socket.socket()
    browser.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    browser.settimeout(PATIENCE_S)
    browser.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    browser.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    assert b" 101 " in browser.recv(100)
    return browser


def read_words(page: ClientConnection) -> int:
    """Read on until the page has been told the whole answer; how often it was told a word."""
    count = 0
    while count < WORDS:
        count += str(page.recv(timeout=PATIENCE_S)).count("word")
    return count


def read_answer(browser: socket.socket) -> int:
    """Begin to read, up to the end of the answer; how many bytes came."""
    size = 0
    while size < PARAGRAPHS * 1000:
        piece = browser.recv(1 << 20)
        assert piece, "the server gave the browser up"
        size += len(piece)
    return size


def memory_of(running: Running) -> int:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes and their memory through /proc")
@pytest.mark.django_db(transaction=True)
def test_browsers_that_do_not_read_cost_little_and_slow_nobody_down(make_session: Callable[..., Session]) -> None:
    session, port = make_session(), free_port()
    path = f"/ws/sessions/{session.public_id}/"
    with halting_agent(PARAGRAPH * PARAGRAPHS, b"") as (agent_port, _):
        environment = {
            "DATABASE_URL": url_of_this_database(), "EMULATOR_PORT": str(agent_port), "BACKEND_PORT": str(port),
            "AUTH_DISABLED": "1",
        }  # fmt: skip
        with Running(*web_spec({**os.environ}).argv[1:], f"--port={port}", environment=environment) as web:
            wait_until(lambda: is_listening(port), "the web process listens")

            def page() -> ClientConnection:
                return connect(f"ws://127.0.0.1:{port}{path}", origin=Origin(f"http://127.0.0.1:{port}"), max_size=None)

            deaf = [deaf_browser(port, path) for _ in range(4)]
            before = memory_of(web)
            with page() as reading:
                reading.send(json.dumps({"action": "invoke", "prompt": "Tell me all", "request_key": ""}))
                assert read_words(reading) >= WORDS
            used = memory_of(web) - before
            assert used < 150 * MEGABYTE
            # All that they have missed, and not twice.
            assert max(read_answer(browser) for browser in deaf) < 1.5 * len(PARAGRAPH) * PARAGRAPHS
            with page() as again:
                assert read_words(again) == WORDS
            for browser in deaf:
                browser.close()
