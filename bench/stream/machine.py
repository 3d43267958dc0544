"""What the machine did during a cell: processor time and memory of processes, and of everybody else."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """The process and all below it that live."""
    found = [pid]
    for parent in found:
        for task in (_PROC / str(parent) / "task").glob("*/children"):
            found += [int(child) for child in _read(task).split()]
    return found


def cpu_s(pids: list[int]) -> float:
    """Processor seconds that these processes have used, ended children that they waited for included."""
    ticks = 0
    for pid in pids:
        fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()
        ticks += sum(int(value) for value in fields[11:15])
    return ticks / _TICKS


def rss_kb(pids: list[int]) -> int:
    """Resident memory of these processes."""
    return sum(int((_read(_PROC / str(pid) / "statm") or "0 0").split()[1]) * _PAGE_KB for pid in pids)


def busy_s() -> float:
    """Processor seconds of the whole machine that were not idle; stolen time counts, for nobody here had it."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, _read(_PROC / "stat").split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything at one instant; seconds."""

    at_s: float
    server_s: float
    source_s: float
    client_s: float
    busy_s: float
    server_rss_kb: int


@dataclass(frozen=True, slots=True)
class Use:
    """Cores in use between two readings."""

    seconds: float
    server: float
    source: float
    client: float
    other: float


@dataclass(frozen=True, slots=True)
class Watched:
    """Whom to read: the server under test, the source, the client, and the runner that waits for them."""

    server_pids: list[int]
    source_pid: int
    runner_pid: int

    def read(self) -> Reading:
        return Reading(
            at_s=time.monotonic(),
            server_s=cpu_s(self.server_pids),
            source_s=cpu_s([self.source_pid]),
            client_s=time.process_time(),
            busy_s=busy_s(),
            server_rss_kb=rss_kb(self.server_pids),
        )


def use_between(first: Reading, second: Reading) -> Use:
    """Cores per group between two readings; `other` is what neither the server nor the tools used."""
    seconds = second.at_s - first.at_s
    server, source, client = (
        (after - before) / seconds
        for before, after in (
            (first.server_s, second.server_s),
            (first.source_s, second.source_s),
            (first.client_s, second.client_s),
        )
    )
    total = (second.busy_s - first.busy_s) / seconds
    return Use(seconds, server, source, client, max(0.0, total - server - source - client))
