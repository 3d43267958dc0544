"""Asking for pages, and what of the processors they cost."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test import Client

from apps.accounts.models import User
from apps.metrics.figures.pages.kept import parts
from bench.pages.database import Worked


def measure(user: User, addresses: dict[str, str], requests: int, worked: Worked) -> list[dict[str, Any]]:
    """Ask for every page: once unmeasured, then `requests` times, each as if nobody had asked before."""

    client = Client()
    client.force_login(user)
    rows = []
    for name, address in addresses.items():
        counted = Counter()
        parts.clear()
        with connection.execute_wrapper(counted):
            response = client.get(address)
        if response.status_code != 200:
            raise SystemExit(f"{address} answered {response.status_code}")
        times = [timed(client, address, worked) for _ in range(requests)]
        walls, cpus = zip(*times, strict=True)
        row = {
            "page": name,
            "cpu_ms": round(statistics.median(cpus), 1),
            "wall_ms": round(statistics.median(walls), 1),
            "queries": counted.count,
            "kb": round(len(response.content) / 1024),
        }
        sys.stdout.write(
            f"{name:<34}{row['cpu_ms']:>8} ms  (on the clock {row['wall_ms']} ms, {row['queries']} queries)\n"
        )
        rows.append(row)
    return rows


class Counter:
    """Counts the statements that pass it."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Callable[..., object], *arguments: object) -> object:
        self.count += 1
        return execute(*arguments)


def timed(client: Client, address: str, worked: Worked, *, kept: bool = False) -> tuple[float, float]:
    """Ask for a page; milliseconds on the clock, and of processor time, that of the database included.

    Unless `kept`, what is made once for all who look is made anew.
    """
    if not kept:
        parts.clear()
    at_first = worked()
    started, own = time.perf_counter(), time.process_time()
    client.get(address)
    wall, own_ms = (time.perf_counter() - started) * 1000, (time.process_time() - own) * 1000
    return wall, own_ms + worked() - at_first


def gauge_ms() -> float:
    """CPU milliseconds for a piece of work that is always the same: what else runs slows every page down likewise."""
    numbers = [random.random() for _ in range(100_000)]
    worked = time.process_time()
    sorted(numbers)
    return (time.process_time() - worked) * 1000
