"""What a management command that speaks with the web process costs: all of its processor time, from start to exit."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass

from bench.stream.beds import LoomBed, Running
from bench.stream.servers import NotStartedError, on_core

COMMAND = ("manage.py", "invoke_agent", "bench_source", "0 1", "--no-wait", "--user", "bench@example.com", "--url")


@dataclass(frozen=True, slots=True)
class _Subject:
    """A Loom that runs, and the command that asks it."""

    bed: LoomBed
    server: Running
    core: int | None

    def cpu_s(self) -> float:
        """Ask once; returns user and system time of the command. Raises NotStartedError where it failed."""
        python = self.bed.tree.python
        url = f"http://127.0.0.1:{self.bed.port}"
        process = subprocess.Popen(
            [python, "-m", "bench.stream.serve", *on_core(self.core), python, *COMMAND, url],
            cwd=self.bed.tree.top, env=self.server.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise NotStartedError(f"manage.py invoke_agent ended with {process.returncode}")
        return used.ru_utime + used.ru_stime


def command_cpu(beds: list[LoomBed], core: int | None, rounds: int) -> dict[str, list[float]]:
    """Seconds by tree, round after round; the first one, which compiles what it imports, is left out."""
    found: dict[str, list[float]] = {bed.tree.name: [] for bed in beds}
    with ExitStack() as servers:
        subjects = [_Subject(bed, servers.enter_context(bed.started()), core) for bed in beds]
        for number in range(rounds + 1):
            for subject in subjects:
                seconds = subject.cpu_s()
                if number:
                    found[subject.bed.tree.name].append(seconds)
    return found
