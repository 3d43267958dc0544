"""What open dashboards cost that are kept up to date: python -m bench.dashboards [--invocations 100000]

One and a hundred open pages, asked for what is new every five seconds for a minute in which runs go on, over a
throw-away database like that of bench.pages, which measures the parts of the page themselves. Prints statements and
milliseconds of processor time.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from bench.pages.database import SQLITE, database

if TYPE_CHECKING:
    from bench.pages.filling import Filler

ROUNDS = 12  # a minute of a page that is asked for every five seconds
OPEN_PAGES = 100
ADDRESS = "/operate/live/?range=24h&refresh=5"


def measure(count: int) -> None:
    """Fill a database and ask."""
    from django.core.management import call_command  # noqa: PLC0415 -- models come after setup

    from bench.pages.filling import Filler  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    filler = Filler(count, has_recordings=False)
    filler.fill()
    for pages in (1, OPEN_PAGES):
        statements, spent = _open_pages(filler, pages)
        sys.stdout.write(f"{pages} open for a minute: {statements} statements, {spent:.0f} ms\n")


def _open_pages(filler: Filler, count: int) -> tuple[int, float]:
    """Statements that are not of the sign-in, and milliseconds, of `count` pages; a run ends between two rounds."""
    from django.db import connection  # noqa: PLC0415 -- after setup
    from django.test import Client  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from apps.metrics.figures.pages.kept import parts  # noqa: PLC0415
    from bench.pages.measuring import Counter  # noqa: PLC0415

    client, counted, spent, now = Client(), Counter(), 0.0, [0.0]
    client.force_login(filler.owner)
    parts.clear()
    parts.clock = lambda: now[0]
    for _ in range(ROUNDS):
        now[0] += 5.0
        filler.add(timezone.now())
        worked = time.process_time()
        with connection.execute_wrapper(counted):
            for _page in range(count):
                client.get(ADDRESS)
        spent += time.process_time() - worked
    parts.clock = time.monotonic
    return counted.count - 2 * ROUNDS * count, spent * 1000


def main() -> int:
    options = argparse.ArgumentParser(prog="bench.dashboards", description=(__doc__ or "").splitlines()[0])
    options.add_argument("--invocations", type=int, default=100_000)
    chosen = options.parse_args()
    with database(SQLITE, None):
        measure(chosen.invocations)
    return 0


if __name__ == "__main__":
    sys.exit(main())
