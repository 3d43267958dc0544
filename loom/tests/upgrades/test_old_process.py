"""A web process of the landed version goes on serving while the present version's migrations are carried out."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from apps.aws.tests.emulator_process import Emulator
from loom.tests.fixtures import Loom, stop
from loom.tests.running import free_port, wait_until
from loom.tests.upgrades.driving import Database
from loom.tests.visiting import status_of

AGENT = "travel_concierge"
ROWS = 300
PAUSE_S = 0.05


@contextmanager
def old_web_process(code: Path, database: Database, emulator: Emulator) -> Iterator[Loom]:
    """The landed version's web server on the database, with the emulator's agents registered by its own command."""
    port, emulator_port = free_port(), emulator.url.rpartition(":")[2]
    settings = {"EMULATOR_PORT": emulator_port, "BACKEND_PORT": str(port), "AUTH_DISABLED": "1"}
    database.manage(code, "seed_demo", **settings)
    environment = {**database.environment, **settings, "PYTHONPATH": str(code)}
    options = [f"--port={port}", "--loop=uvloop", "--http=httptools", "--ws=websockets-sansio", "--log-level=warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "loom.asgi:application", "--lifespan=on", *options],
        cwd=code, env=environment, text=True, start_new_session=True,
    )  # fmt: skip
    loom = Loom(f"http://127.0.0.1:{port}", emulator, process, environment)
    try:
        wait_until(lambda: process.poll() is not None or status_of(loom, "/healthz") == 200, "the old process answers")
        assert process.poll() is None, "the old process ended at its start"
        yield loom
    finally:
        stop(process, 60)


class Usage:
    """Somebody who uses Loom in a thread, without end, and writes down what did not go well."""

    def __init__(self, loom: Loom) -> None:
        self._loom = loom
        self._agent = loom.agent_id(AGENT)
        self._session = ""
        self.round_count = 0
        self.failures: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._use, name="usage")

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_for_rounds(2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def wait_for_rounds(self, count: int) -> None:
        """Wait until everything was done so many times more."""
        wanted = self.round_count + count
        wait_until(lambda: self.round_count >= wanted or bool(self.failures), "everything was used again")

    def _use(self) -> None:
        while not self._is_over.is_set() and not self.failures:
            self._do_everything()
            self.round_count += 1
            self._is_over.wait(PAUSE_S)

    def _do_everything(self) -> None:
        """A new session with a run, a further run, and all that shows them."""
        first = self._invoke()
        second = self._invoke(session_id=first["session_id"]) if first else None
        if second is None:
            return
        self._session = second["session_id"]
        detail = self._call("GET", f"/api/agents/{self._agent}/sessions/{self._session}")
        for path in (
            "/agents/",
            f"/agents/{self._agent}/",
            "/sessions/",
            "/operate/",
            detail["url"] if detail else "/",
        ):
            if status_of(self._loom, path) != 200:
                self.failures.append(f"{path} failed")
        self._call("GET", "/api/agents")
        self._call("GET", f"/api/agents/{self._agent}/sessions")
        self._call("GET", f"/api/agents/{self._agent}/sessions/{self._session}/latency")

    def _invoke(self, **body: Any) -> Any:
        return self._call(
            "POST", f"/api/agents/{self._agent}/invoke", {"prompt": "Will it rain?", "stream": False, **body}
        )

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        status, answer = self._loom.request(method, path, body)
        if status not in {200, 202}:  # 202: the start is still looked for
            self.failures.append(f"{method} {path} answered {status}: {answer}")
            return None
        return answer


@pytest.mark.deep
def test_an_old_process_serves_while_the_database_is_upgraded(
    database: Database, landed_code: Path, emulator_process: Emulator
) -> None:
    """Nothing that a running old process reads or writes is dropped or demanded in the release that replaces it."""
    database.take("create", f"fill:{ROWS}")
    with old_web_process(landed_code, database, emulator_process) as loom, Usage(loom) as usage:
        database.take("forward")
        assert usage.failures == []
        usage.wait_for_rounds(3)
        assert usage.failures == []
    (rows,) = database.take("rows")
    # The process also took up the series that was queued.
    assert int(rows["agent_sessions_invocation"].split()[0]) >= ROWS + 2 * usage.round_count
    sys.stdout.write(f"\n{database.url.partition(':')[0]}: {usage.round_count} rounds of an old process\n")
