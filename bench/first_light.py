"""Fresh clone to first page to first measured start: what a newcomer waits for.

    python3 bench/first_light.py [--agent NAME] [--limit SECONDS]

Clones HEAD into a temporary folder, runs `make dev` there on free ports with an empty home, and asks as a program
would: health, agents, one prompt, its startup latency. Ends everything it started and prints a table. Needs Python,
git and make.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

# What an install behind a proxy or a mirror needs; nothing else of the caller's environment is handed on.
KEPT_VARIABLES = re.compile(
    r"PATH|LANG|TMPDIR|PIP_.*|UV_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|https?_proxy|no_proxy"
)
PROMPT = "Plan a day in Lyon by train."
STOP_WITHIN_S = 45

AnswerT = TypeVar("AnswerT")
Server = subprocess.Popen[bytes]


class MeasurementFailedError(Exception):
    """Something did not arrive in time, or the program ended before it."""


@dataclass
class Stopwatch:
    """Names instants after the start; seconds on a monotonic clock."""

    limit_s: float
    started: float = field(default_factory=time.monotonic)
    marks: list[tuple[str, float]] = field(default_factory=list)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    def mark(self, name: str) -> None:
        self.marks.append((name, self.elapsed_s))
        sys.stdout.write(f"{self.elapsed_s:8.2f} s  {name}\n")
        sys.stdout.flush()

    def wait_for(self, what: str, probe: Callable[[], AnswerT | None], *, every_s: float) -> AnswerT:
        """Return the first true answer of `probe`; refused connections are "not yet"."""
        while self.elapsed_s < self.limit_s:
            try:
                if answer := probe():
                    return answer
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise MeasurementFailedError(f"{what}: HTTP {error.code}") from None
            except OSError:
                pass
            time.sleep(every_s)
        raise MeasurementFailedError(f"{what}: not within {self.limit_s:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def newcomers_environment(home: Path, web: int, emulator: int) -> dict[str, str]:
    """An empty home and nothing of Loom's or AWS's but the ports."""
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if KEPT_VARIABLES.fullmatch(name)}
    return kept | {"HOME": str(home), "TERM": "dumb", "BACKEND_PORT": str(web), "EMULATOR_PORT": str(emulator)}


@contextmanager
def started(
    command: list[str], folder: Path, environment: dict[str, str], log: IO[bytes] | None = None
) -> Iterator[Server]:
    """A program in its own process group, ended as Ctrl-C ends it, and by force when that is not enough."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=None if log is None else subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for number in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
            try:
                process.wait(timeout=STOP_WITHIN_S)
                break
            except subprocess.TimeoutExpired:
                continue


def get_json(url: str) -> tuple[int, Any]:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 -- a loopback address that we made
        return response.status, json.load(response)


def invoke(api: str, agent_id: int, watch: Stopwatch) -> str:
    """Send one prompt, mark its first and last event, return the session's id."""
    request = urllib.request.Request(  # noqa: S310 -- a loopback address that we made
        f"{api}/agents/{agent_id}/invoke",
        data=json.dumps({"prompt": PROMPT}).encode(),
        headers={"Content-Type": "application/json", "Accept": "text/event-stream"},
    )
    session_id, event, has_text = "", "", False
    watch.mark("prompt sent")
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 -- as above
        for raw in response:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event == "session_start":
                session_id = json.loads(value)["session_id"]
            elif name == "data" and event == "chunk" and not has_text:
                has_text = True
                watch.mark("first chunk of the answer")
            elif name == "data" and event == "error":
                raise MeasurementFailedError(f"the run failed: {json.loads(value)['message']}")
    if event != "session_end":
        raise MeasurementFailedError("the stream ended without session_end")
    watch.mark("answer complete")
    return session_id


def first_light(web: int, watch: Stopwatch, process: Server, agent_name: str) -> dict[str, Any]:
    """From the health page to the first measured start; returns what the latency endpoint said."""
    root = f"http://127.0.0.1:{web}"

    def is_healthy() -> bool:
        if process.poll() is not None:
            raise MeasurementFailedError(f"make dev ended with status {process.returncode}")
        with urllib.request.urlopen(f"{root}/healthz", timeout=2) as response:  # noqa: S310 -- a loopback address
            return bool(response.status == 200)

    watch.wait_for("first page", is_healthy, every_s=0.1)
    watch.mark("first 200 of /healthz")
    agents = watch.wait_for("a demo agent", lambda: get_json(f"{root}/api/agents")[1], every_s=0.1)
    watch.mark("first agent in the list")
    agent = next((agent for agent in agents if agent["name"] == agent_name), agents[0])
    session_id = invoke(f"{root}/api", agent["id"], watch)

    def measured() -> dict[str, Any] | None:
        status, answer = get_json(f"{root}/api/agents/{agent['id']}/sessions/{session_id}/latency")
        return dict(answer) if status == 200 else None

    latency = watch.wait_for("the startup latency", measured, every_s=0.25)
    if latency["startup_latency_ms"] is None:
        raise MeasurementFailedError(f"no startup latency: {latency['state']} {latency['error']}")
    watch.mark("startup latency measured")
    return {"agent": agent["name"], **latency}


def write_report(top: Path, watch: Stopwatch, latency: dict[str, Any]) -> None:
    head = subprocess.run(
        ["git", "-C", str(top), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    commit = head.stdout.strip()
    lines = ["", "| step | after | since the step before |", "| --- | ---: | ---: |"]
    before = 0.0
    for name, at in watch.marks:
        lines.append(f"| {name} | {at:.2f} s | {at - before:.2f} s |")
        before = at
    lines += [
        "",
        f"Agent {latency['agent']}, emulated: startup latency {latency['startup_latency_ms']:.0f} ms "
        f"({latency['state']}, source {latency['source']}, cold {latency['is_cold']}), "
        f"total {latency['client_duration_ms']:.0f} ms.",
        f"Conditions: commit {commit}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}; one run (n = 1), the download of the packages included.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--agent", default="travel_concierge", help="the demo agent that gets the prompt")
    options.add_argument("--limit", type=float, default=600, help="give up after so many seconds")
    chosen = options.parse_args()
    top = Path(__file__).resolve().parent.parent
    # A plain kill has to stop what was started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="first-light-", ignore_cleanup_errors=True) as folder:
        clone, log = Path(folder) / "loom", Path(folder) / "dev.log"
        web = free_port()
        watch = Stopwatch(chosen.limit)
        subprocess.run(["git", "clone", "--quiet", str(top), str(clone)], check=True)
        watch.mark("cloned")
        environment = newcomers_environment(Path(folder) / "home", web, free_port())
        try:
            with log.open("wb") as output, started(["make", "dev"], clone, environment, output) as process:
                latency = first_light(web, watch, process, chosen.agent)
        except MeasurementFailedError as error:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            sys.stderr.write(f"{error}\nlast lines of make dev:\n{tail}\n")
            return 1
        watch.mark("stopped")
        write_report(top, watch, latency)
    return 0


if __name__ == "__main__":
    sys.exit(main())
