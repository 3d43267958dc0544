"""Processes of an idle `make dev`."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from etc.checks.apart import ROOT, throw_away_environment
from etc.checks.budget.limits import Measured

PATIENCE_S = 120.0
# A worker forks its cluster in the moments in which it says that it is ready.
UNCHANGED_S = 3.0


def measure_processes() -> Measured:
    """Start everything on an empty database and count the processes once nothing more begins. Reads /proc."""
    web, emulator = _free_port(), _free_port()
    ports = {"BACKEND_PORT": str(web), "EMULATOR_PORT": str(emulator)}
    with throw_away_environment(**ports, DEMO_HISTORY="0", PYTHONUNBUFFERED="1") as environment:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "dev"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            said = _read_until_ready(process)
            if said is not None:
                return Measured({"processes": {}}, [f"processes: make dev did not get ready:\n{said}"])
            return Measured({"processes": {"make dev, idle": _settled_count(process.pid)}})
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _read_until_ready(process: subprocess.Popen[str]) -> str | None:
    """None when everything runs, else what was said to the end."""
    assert process.stdout is not None
    lines = []
    alarm = threading.Timer(PATIENCE_S, process.terminate)
    alarm.start()
    try:
        for line in process.stdout:
            lines.append(line)
            if "Loom is ready" in line:
                return None
    finally:
        alarm.cancel()
    return "".join(lines)


def _settled_count(pid: int) -> int:
    """How many processes there are once their number has been the same for a while."""
    pause, since, deadline = threading.Event(), time.monotonic(), time.monotonic() + PATIENCE_S
    count = len(family(pid))
    while time.monotonic() - since < UNCHANGED_S and time.monotonic() < deadline:
        pause.wait(0.2)
        now = len(family(pid))
        if now != count:
            count, since = now, time.monotonic()
    return count


def family(pid: int) -> set[int]:
    """A process and all its living descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended meanwhile
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found, grown = set[int](), {pid}
    while grown - found:
        found |= grown
        grown = {child for child, parent in parents.items() if parent in found}
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
