"""Browsers that stop reading while a long answer streams to them through a real server and a real socket."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import events_after
from apps.sessions.tests.reading import answer_of, place_of, readable
from apps.sessions.viewing.consumer import SessionConsumer
from loom.processes.start_all import web_spec
from loom.tests.halting_agent import HaltingAgent, halting_agent
from loom.tests.running import PATIENCE_S, Running, free_port, wait_until
from loom.tests.this_database import url_of_this_database
from loom_events.fold import answer_text

PARAGRAPH = b'data: "%s\\n\\n"\n\n' % (b"word " * 200)
PARAGRAPHS = 3000  # 3 MB in all
WORDS = 200 * PARAGRAPHS
LARGE_PARAGRAPHS = 60  # of 8 kB each, a frame for each
MEGABYTE = 1 << 20
DEAF, READING = 25, 5
PIECES = 40  # of 12 kB each, a frame for each: more than a page's buffers and its outbox hold together
# Between the parts of an answer that is too long to be formatted; they may stand in the middle of a word.
SEAMS = re.compile(r'</p>\s*<p class="rest-note".*?</p>\s*<pre class="rest"[^>]*>\n|</pre>\s*<pre class="rest"[^>]*>\n')


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def narrow_socket(port: int) -> socket.socket:
    """A connection that takes little before it is read."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)  # large ones let the system hold back megabytes
    narrow.settimeout(PATIENCE_S)
    narrow.connect(("127.0.0.1", port))
    return narrow


def deaf_browser(port: int, path: str) -> socket.socket:
    """A socket that is open for the page, and of which nothing is read."""
    browser = narrow_socket(port)
    key = base64.b64encode(os.urandom(16)).decode()
    browser.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += browser.recv(1)
    assert b" 101 " in answer
    return browser


def read_words(page: ClientConnection) -> int:
    """Read on until the page has been told the whole answer; how often it was told a word."""
    count = 0
    while count < WORDS:
        count += SEAMS.sub("", readable(str(page.recv(timeout=PATIENCE_S)))).count("word")
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


def messages_of(browser: socket.socket, last: str) -> Iterator[str]:
    """Begin to read: the messages up to the one with these words, without the handshake of the websocket (RFC 6455)."""
    received = b""
    while True:
        size, start = (received[1], 2) if len(received) > 1 else (0, 2)
        if size > 125:
            start = 4 if size == 126 else 10
            size = int.from_bytes(received[2:start], "big") if len(received) >= start else 1 << 62
        if len(received) >= start + size and len(received) > 1:
            text, received = received[start : start + size].decode(), received[start + size :]
            yield text
            if last in text:
                return
            continue
        piece = browser.recv(1 << 20)
        assert piece, "the server gave the browser up"
        received += piece


@contextmanager
def web_process(agent: HaltingAgent, session: Session) -> Iterator[tuple[Running, int, str]]:
    """A web process in front of the agent: with its port, and the path of the session's socket."""
    port = free_port()
    environment = {
        "DATABASE_URL": url_of_this_database(), "EMULATOR_PORT": str(agent.port), "BACKEND_PORT": str(port),
        "AUTH_DISABLED": "1",
    }  # fmt: skip
    with Running(*web_spec({**os.environ}).argv[1:], f"--port={port}", environment=environment) as web:
        wait_until(lambda: is_listening(port), "the web process listens")
        yield web, port, f"/ws/sessions/{session.public_id}/"


def open_page(port: int, path: str, *, sock: socket.socket | None = None, max_queue: int = 16) -> ClientConnection:
    origin = Origin(f"http://127.0.0.1:{port}")
    return connect(f"ws://127.0.0.1:{port}{path}", origin=origin, max_size=None, sock=sock, max_queue=max_queue)


def ask(page: ClientConnection) -> None:
    page.send(json.dumps({"action": "invoke", "prompt": "Tell me all", "request_key": ""}))


def is_recorded(words: int) -> bool:
    """Whether the web process has got and stored so much of the only answer."""
    return answer_text(events_after(Invocation.objects.get().pk)).count("word") == words


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes and their memory through /proc")
@pytest.mark.django_db(transaction=True)
def test_browsers_that_do_not_read_cost_little_and_slow_nobody_down(make_session: Callable[..., Session]) -> None:
    with halting_agent() as agent, web_process(agent, make_session()) as (web, port, path):
        deaf = [deaf_browser(port, path) for _ in range(4)]
        before = memory_of(web)
        with open_page(port, path) as reading:
            ask(reading)
            agent.say(PARAGRAPH * PARAGRAPHS)
            assert read_words(reading) >= WORDS
        used = memory_of(web) - before
        assert used < 150 * MEGABYTE
        # All that they have missed, and not twice.
        assert max(read_answer(browser) for browser in deaf) < 1.5 * len(PARAGRAPH) * PARAGRAPHS
        wait_until(lambda: is_recorded(WORDS), "all of it has arrived")
        with open_page(port, path) as again:
            assert read_words(again) == WORDS
        for browser in deaf:
            browser.close()


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.django_db(transaction=True)
def test_a_browser_that_reads_again_gets_what_no_outbox_held_as_one_message(
    make_session: Callable[..., Session],
) -> None:
    """The outbox as it is shipped: whatever is larger than that is told anew, once there is somebody to tell."""
    with halting_agent() as agent, web_process(agent, make_session()) as (_, port, path):
        deaf = deaf_browser(port, path)
        with open_page(port, path) as reading:
            ask(reading)
            for number in range(LARGE_PARAGRAPHS):
                agent.say(b'data: "word%d. %s\\n\\n"\n\n' % (number, b"so on " * 1400))
                while f"word{number}." not in str(reading.recv(timeout=PATIENCE_S)):
                    continue
        messages = list(messages_of(deaf, f"word{LARGE_PARAGRAPHS - 1}."))
        deaf.close()

    assert len(messages) < LARGE_PARAGRAPHS
    assert max(len(message) for message in messages) > SessionConsumer.outbox_limit
    told = "".join(messages)
    assert [number for number in range(LARGE_PARAGRAPHS) if f"word{number}." not in told] == []


class Screen(threading.Thread):
    """A page that is read from when it may begin until it shows the last word; and what it shows."""

    def __init__(self, page: ClientConnection, last: str, begin: threading.Event) -> None:
        super().__init__(name="screen")
        self.answer = ""
        self._page, self._last, self._begin = page, last, begin
        self.start()

    def run(self) -> None:
        if not self._begin.wait(PATIENCE_S):
            return
        while self._last not in self.answer:
            message = str(self._page.recv(timeout=PATIENCE_S))
            if place_of(message):
                self.answer = answer_of(message, self.answer)

    def words(self) -> list[str]:
        """All that is shown in the end."""
        self.join(PATIENCE_S)
        return re.findall(r"word\d+", self.answer)


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
@pytest.mark.django_db(transaction=True)
def test_five_of_thirty_viewers_read_every_word_once_and_one_of_them_after_a_long_pause(
    make_session: Callable[..., Session],
) -> None:
    at_once, later = threading.Event(), threading.Event()
    at_once.set()
    last = f"word{PIECES - 1}."
    with halting_agent() as agent, web_process(agent, make_session()) as (_, port, path), ExitStack() as stack:
        for _ in range(DEAF):
            stack.enter_context(deaf_browser(port, path))
        paused = stack.enter_context(open_page(port, path, sock=narrow_socket(port), max_queue=1))
        reading = [stack.enter_context(open_page(port, path)) for _ in range(READING - 1)]
        ask(paused)
        screens = [*(Screen(page, last, at_once) for page in reading), Screen(paused, last, later)]
        for number in range(PIECES):
            agent.say(b'data: "word%d. %s\\n\\n"\n\n' % (number, b"so on " * 2000))
            wait_until(lambda word=f"word{number}.": word in screens[0].answer, "it is shown")  # type: ignore[misc]
        later.set()
        shown = [screen.words() for screen in screens]

    assert shown == READING * [[f"word{number}" for number in range(PIECES)]]
