"""Run the tests in parts, some side by side: most of them wait for processes and clocks, and leave a core idle.

    python -m loom.tests.parts [--at-once N] [PART …] [-- what pytest is to be told]

Each part is a pytest of its own, with its own databases, ports and processes, and has its log in build/tests. What it
says at its end is shown when it ends, and its whole log if it failed. The exit status is 0 if all of them passed.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
LOGS = ROOT / "build" / "tests"
_PROGRESS = re.compile(r"\[ *(\d+)%\]$")
_TELL_EVERY_PERCENT = 25


def parts() -> dict[str, list[str]]:
    """Each part and what pytest is told to run; but for deep ones every test is in one of them.

    The longest come first: what began last would go on alone, and leave a core idle.
    """
    paths = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    return {
        "processes": ["loom", "-m", "not whole and not browser and not services and not deep"],
        "apps": [*(path for path in paths if path != "loom"), "-m", "not deep"],
        "browser": ["loom", "-m", "browser and not deep"],
        # marked by loom.tests.plugin: uses the running Loom of a fixture
        "whole": ["loom", "-m", "whole and not browser and not services and not deep"],
        "services": ["loom", "-m", "services and not browser and not deep"],
    }


@dataclass
class Part:
    """One pytest: its progress while it runs, its log afterwards."""

    name: str
    arguments: Sequence[str]
    lines: list[str] = field(default_factory=list)
    status: int = -1
    wall_s: float = 0.0
    cpu_s: float = 0.0
    process: subprocess.Popen[str] | None = None

    def run(self, logs: Path, announce: threading.Lock) -> None:
        """Run it to its end, telling now and then how far it is."""
        began_s, told = time.monotonic(), 0
        command = [sys.executable, "-m", "pytest", *self.arguments]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        with self.process.stdout, (logs / f"{self.name}.log").open("w", buffering=1) as log:
            for line in self.process.stdout:
                log.write(line)
                self.lines.append(line.rstrip("\n"))
                found = _PROGRESS.search(self.lines[-1])
                if found and told + _TELL_EVERY_PERCENT <= int(found[1]) < 100:
                    told = int(found[1])
                    _say(announce, f"{self.name}: {told} %")
        _, status, usage = os.wait4(self.process.pid, 0)
        self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.wall_s, self.cpu_s = time.monotonic() - began_s, usage.ru_utime + usage.ru_stime
        _say(announce, self.report())

    def report(self) -> str:
        """What there is to say at the end: everything after a failure, else what pytest says after the last test."""
        shown = self.lines
        if self.status == 0:
            last = max((number for number, line in enumerate(shown) if _PROGRESS.search(line)), default=-1)
            shown = shown[last + 1 :]
        outcome = "passed" if self.status == 0 else f"failed with exit status {self.status}"
        figures = f"{self.name} {outcome}: {self.wall_s:.0f} s, of which {self.cpu_s:.0f} s of computing"
        return "\n".join([f"\n--- {figures}", *(line for line in shown if line)])


def _say(announce: threading.Lock, text: str) -> None:
    with announce:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def run_parts(chosen: Sequence[Part], at_once: int, logs: Path = LOGS) -> int:
    """Run these parts, so many at once; the exit status. Ctrl-C and SIGTERM end every pytest in good order."""
    logs.mkdir(parents=True, exist_ok=True)
    announce, is_ending = threading.Lock(), threading.Event()

    def run(part: Part) -> None:
        if not is_ending.is_set():
            part.run(logs, announce)

    def end(number: int, frame: FrameType | None) -> None:
        is_ending.set()
        for part in chosen:
            # From a terminal Ctrl-C reaches every pytest by itself, and a second one would break off its ending.
            if part.process is not None and part.status == -1 and number == signal.SIGTERM:
                part.process.send_signal(signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(run, chosen):
            pass
    return 0 if all(part.status == 0 for part in chosen) else 1


def main(argv: Sequence[str]) -> int:
    """Run what the command line names."""
    known = parts()
    own, rest = (list(argv), []) if "--" not in argv else (list(argv[: argv.index("--")]), argv[argv.index("--") + 1 :])
    parser = argparse.ArgumentParser(prog="python -m loom.tests.parts", description="Run the tests in parts.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(known)}; all of them by default")
    parser.add_argument("--at-once", type=int, default=(os.cpu_count() or 1) + 1, help="how many run at a time")
    options = parser.parse_args(own)
    unknown = set(options.parts) - set(known)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    names = [name for name in known if name in options.parts or not options.parts]
    return run_parts([Part(name, [*known[name], *rest]) for name in names], options.at_once)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
