"""What people and programs do with a running Loom: invoke over the API, look at a page, follow its socket."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import connect
from websockets.typing import Origin

from apps.sessions.tests.reading import readable
from loom.processes.start_all import web_spec
from loom.tests.fixtures import ROOT, Loom, stop
from loom.tests.running import free_port, wait_until

# CloudWatch is late by seconds, now and then by more than a minute; the emulator is too.
LOGS_TIMEOUT_S = 150.0
ANSWER_TIMEOUT_S = 60.0


@contextmanager
def another_web_process(loom: Loom) -> Iterator[Loom]:
    """One more web server on the same database and Redis: the same Loom at another address, `process` its server."""
    spec, port = web_spec(loom.environment), free_port()
    process = subprocess.Popen(
        [*spec.argv, f"--port={port}"], cwd=ROOT, env=loom.environment, text=True, start_new_session=True
    )
    other = replace(loom, url=f"http://127.0.0.1:{port}", process=process)

    def is_decided() -> bool:
        return process.poll() is not None or status_of(other, "/healthz") == http.HTTPStatus.OK

    try:
        wait_until(is_decided, "the other web process answers")
        assert process.poll() is None, "the other web process ended at its start"
        yield other
    finally:
        stop(process, 60)


def manage(loom: Loom, *arguments: str) -> str:
    """Run a management command beside a running Loom; return what it wrote."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=loom.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(loom: Loom, *models: str) -> list[dict[str, Any]]:
    """The columns of all rows of models such as "core.notice", with `pk` and `model`, by key."""
    dumped = json.loads(manage(loom, "dumpdata", *models))
    found = [{**row["fields"], "pk": row["pk"], "model": row["model"]} for row in dumped]
    return sorted(found, key=lambda row: str(row["pk"]).zfill(20))


@dataclass(frozen=True)
class StoredRun:
    """An invocation as it is stored, with its recording, compacted or not."""

    row: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """The answer's text in the recording."""
        return "".join(event["text"] for event in self.events if event["kind"] == "text")

    @property
    def is_gapless(self) -> bool:
        """Whether the recording holds each event of the run, once and in order."""
        return [event["seq"] for event in self.events] == list(range(1, self.row["last_sequence"] + 1))


def newest_run(loom: Loom) -> StoredRun:
    """Read the invocation that was started last."""
    names = ("invocation", "recordingbatch", "recording")
    stored = rows(loom, *(f"agent_sessions.{name}" for name in names))
    row = [item for item in stored if item["model"] == "agent_sessions.invocation"][-1]
    parts = [item["events"] for item in stored if item.get("invocation") == row["pk"]]
    return StoredRun(row, list(chain.from_iterable(parts)))


def get_page(loom: Loom, path: str) -> str:
    """The HTML of a page; raises HTTPError unless it is answered well."""
    with urllib.request.urlopen(loom.url + path) as answer:  # noqa: S310 -- loopback
        return str(answer.read().decode())


def status_of(loom: Loom, path: str) -> int:
    """The HTTP status of a page; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(loom.url + path) as answer:  # noqa: S310 -- loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def newest_session_id(loom: Loom) -> str:
    """The public id of the session that was started last."""
    found = re.search(r'href="/sessions/([0-9a-f-]{36})/"', get_page(loom, "/sessions/"))
    assert found is not None, "there is no session"
    return found[1]


class Prompt:
    """A prompt sent over the API, whose answer is gathered in a thread while the test goes on."""

    def __init__(self, loom: Loom, agent_id: int, prompt: str, *, request_key: str = "", **body: Any) -> None:
        data = json.dumps({"prompt": prompt, **body}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": request_key}
        self._request = urllib.request.Request(f"{loom.url}/api/agents/{agent_id}/invoke", data, headers)  # noqa: S310 -- loopback
        self.status = 0
        self.refusal: dict[str, Any] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._thread = threading.Thread(target=self._read, name="prompt")
        self._thread.start()

    def _read(self) -> None:
        try:
            with urllib.request.urlopen(self._request, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 -- loopback
                self.status = answer.status
                self._read_events(answer)
        except urllib.error.HTTPError as error:
            with error:
                self.refusal, self.status = json.load(error), error.code
        except (http.client.HTTPException, OSError):
            return  # the process was killed

    def _read_events(self, lines: Any) -> None:
        event = ""
        for raw in lines:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self.events.append((event, json.loads(line.removeprefix("data: "))))

    def chunks(self) -> list[str]:
        """The pieces of the answer that have come so far."""
        return [data["text"] for event, data in list(self.events) if event == "chunk"]

    def wait_for_chunks(self, count: int) -> None:
        """Wait until that many pieces have come; on a busy machine one piece may hold several of the agent's chunks."""
        wait_until(lambda: len(self.chunks()) >= count or not self._thread.is_alive(), "the answer began")
        assert len(self.chunks()) >= count, (self.status, self.refusal, self.events)

    def finish(self) -> Self:
        """Wait for the end of the answer, whatever it is."""
        self._thread.join(ANSWER_TIMEOUT_S)
        assert not self._thread.is_alive(), "the answer has no end"
        return self

    @property
    def session_id(self) -> str:
        """The runtime session id that the answer began with."""
        assert self.events and self.events[0][0] == "session_start", self.events
        return str(self.events[0][1]["session_id"])


class SessionPage:
    """A session's page in a browser, as far as its socket goes. Every message is kept."""

    def __init__(self, loom: Loom, public_id: str) -> None:
        self.messages: list[str] = []
        self._connection = connect(f"{loom.socket_url}/ws/sessions/{public_id}/", origin=Origin(loom.url))

    def __enter__(self) -> Self:
        self._socket = self._connection.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.__exit__(kind, error, traceback)

    def send(self, **message: str) -> None:
        """Do what a form of the page does."""
        self._socket.send(json.dumps(message))

    def join(self) -> None:
        """Wait until connecting is over: it shows what there was, and hears of everything from here on."""
        self.send(action="invoke", prompt="")
        self.read_until("^refused")

    def read_until(self, pattern: str, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """Read on to the message in which `pattern` is found."""
        return self.read_to(lambda message: re.search(pattern, message) is not None, pattern, timeout_s)

    def read_to(self, is_wanted: Callable[[str], bool], what: str, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """Read on to a message that is wanted."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                message = self._socket.recv(timeout=max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise AssertionError(f"{what!r} did not come in {len(self.messages)} messages") from None
            assert isinstance(message, str)
            message = readable(message)
            self.messages.append(message)
            if is_wanted(message):
                return message


def send_prompt_set(loom: Loom, agent: int, text: str) -> dict[str, int]:
    """A prompt set that has been sent, with every kind of check; the keys of it and of what it found."""
    checks = [
        {"kind": "contains", "text": text, "is_negated": True}, {"kind": "regex", "pattern": "<b"},
        {"kind": "json_schema", "schema": {"enum": [text]}}, {"kind": "max_ttft", "ms": 1},
        {"kind": "tool_called", "name": text, "arguments": {"x": text}}, {"kind": "max_cost", "usd": "0.001"},
    ]  # fmt: skip
    _, made = loom.post("/api/prompt-sets", {"name": text[:120], "prompts": [{"prompt": text, "checks": checks}]})
    body = {"targets": [{"agent_id": agent}], "repeats": 2}
    _, plan = loom.post(f"/api/prompt-sets/{made['id']}/run", body)
    wait_until(lambda: bool(loom.get(f"/api/plans/{plan['id']}")[1]["state"] == "done"), "a prompt set is sent")
    [item] = rows(loom, "metrics.promptsetitem")
    return {"set_id": made["id"], "plan_id": plan["id"], "item_id": item["pk"]}
