"""What Overview and the comparison of targets cost: python -m bench.dashboards [--invocations 1000000] [--requests 5]

Fills a throw-away database like bench.pages, without recordings, lets the worker's own step store the past hours, and
asks for the parts of the page as nobody did before, as they are kept, and for one and for a hundred open pages that are
brought up to date every five seconds while runs go on. Prints milliseconds of processor time and statements.
"""

from __future__ import annotations  # noqa: I001 -- bench.pages reads the settings

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

from bench.pages import (
    FOLDER,
    Client,
    Filler,
    _Counter,
    _gauge_ms,
    _timed,
    call_command,
    connection,
    settle_figures,
    timezone,
)
from apps.metrics.figures.pages.kept import parts

ROUNDS = 12  # a minute of a page that is asked for every five seconds
OPEN_PAGES = 100


def addresses(filler: Filler) -> dict[str, str]:
    """The address of each part by its name."""
    one, two = (agent.pk for agent in filler.agents[:2])
    found = {}
    for span in ("24h", "7d", "30d"):
        found[f"page, {span}"] = f"/operate/?range={span}"
        found[f"drawings, {span}"] = f"/operate/drawings/?range={span}"
        found[f"up to date, {span}"] = f"/operate/live/?range={span}&refresh=5"
    return found | {
        "page, 30d, one agent": f"/operate/?range=30d&agent={one}",
        "drawings, 30d, one agent": f"/operate/drawings/?range=30d&agent={one}",
        "targets to choose from": "/compare/targets/",
        "two versions compared": f"/compare/targets/?target={one}:DEFAULT:2&target={one}:DEFAULT:3",
        "six targets compared": "/compare/targets/?" + "&".join(f"target={agent.pk}::" for agent in filler.agents[:6]),
        "API: two agents compared": f"/api/compare?target={one}&target={two}",
    }


def cpu_ms(client: Client, address: str, requests: int, before: Callable[[], None]) -> float:
    times = []
    for _ in range(requests):
        before()
        times.append(_timed(client, address)[1])
    return statistics.median(times)


def open_pages(client: Client, filler: Filler, count: int, address: str) -> tuple[int, float]:
    """Statements that are not of the sign-in, and milliseconds, of `count` pages that are asked for a minute long; a
    run ends between two rounds.
    """
    now = [0.0]
    parts.clear()
    parts.clock = lambda: now[0]
    counted, spent = _Counter(), 0.0
    for _ in range(ROUNDS):
        now[0] += 5.0
        filler.add(timezone.now())
        worked = time.process_time()
        with connection.execute_wrapper(counted):
            for _page in range(count):
                client.get(address)
        spent += time.process_time() - worked
    parts.clock = time.monotonic
    return counted.count - 2 * ROUNDS * count, spent * 1000


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--invocations", type=int, default=1_000_000)
    options.add_argument("--requests", type=int, default=5)
    chosen = options.parse_args()
    with FOLDER:
        call_command("migrate", verbosity=0)
        filler = Filler(chosen.invocations, has_recordings=False)
        filler.fill()
        started = time.perf_counter()
        hours = sum(iter(lambda: settle_figures(timezone.now()), 0))
        sys.stdout.write(f"{hours} hours stored in {time.perf_counter() - started:.1f} s\n")
        sys.stdout.write(f"load {os.getloadavg()[0]:.1f}, 100,000 numbers sorted in {_gauge_ms():.0f} ms\n")
        client = Client()
        client.force_login(filler.owner)
        for name, address in addresses(filler).items():
            answer = client.get(address)
            if answer.status_code != 200:
                raise SystemExit(f"{address} answered {answer.status_code}")
            made = cpu_ms(client, address, chosen.requests, parts.clear)
            sys.stdout.write(f"{name:<28}{made:>8.1f} ms")
            if "/live/" in address:
                sys.stdout.write(f", kept {cpu_ms(client, address, chosen.requests, lambda: None):.1f} ms")
            sys.stdout.write("\n")
        for count in (1, OPEN_PAGES):
            statements, spent = open_pages(client, filler, count, "/operate/live/?range=24h&refresh=5")
            sys.stdout.write(f"{count} open for a minute: {statements} statements, {spent:.0f} ms\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
