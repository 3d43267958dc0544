"""How fast the pages are with 100,000 invocations: python -m bench.pages [--invocations 100000] [--requests 15]

Fills a throw-away database in bulk, as if a team had been busy for 30 days, lets the worker's own step store the past
hours, and asks for each page several times through Django's handler: middleware, views, queries and templates, without
the network. Prints a table and writes build/pages.json and the table of docs/performance-pages.md. The exit status is 1
where a page fails, or takes longer than the limit.

With --rows 1000000 the lists, the searches and the parts of the dashboards alone, over so many runs of forty agents
without their recordings, against 150 ms of processor time, that of the database's processes included. With --database
postgresql a server of its own is started from the installed programs. --keep FOLDER leaves the database there for the
next time, and with --copy-of FOLDER PostgreSQL gets the rows of an SQLite that is kept. --only TEXT measures what has
the text in its name.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.pages.database import POSTGRESQL, SQLITE, Worked, database
from bench.pages.document import write_document

BUILD = Path(__file__).resolve().parents[2] / "build"
AGENTS, MANY_AGENTS = 12, 40
LIMIT_MS = 200.0
LIST_LIMIT_MS = 150.0
Rows = list[dict[str, Any]]


def measure_many(chosen: argparse.Namespace, worked: Worked) -> int:
    """Ask for lists and dashboards alone, as staff and as a member; 1 where one takes longer than the limit."""
    from bench.pages.addresses import lists, parts  # noqa: PLC0415 -- models come after setup
    from bench.pages.filling import Filler  # noqa: PLC0415
    from bench.pages.measuring import gauge_ms, measure  # noqa: PLC0415

    filler = Filler(chosen.rows, agents=MANY_AGENTS, has_recordings=False)
    filler.fill()
    addresses = lists(filler.agents[0].pk, filler.words[3]) | parts(filler)
    addresses = {name: address for name, address in addresses.items() if chosen.only.lower() in name.lower()}
    sys.stdout.write(f"load {os.getloadavg()[0]:.1f}, 100,000 numbers sorted in {gauge_ms():.0f} ms\n")
    rows = measure(filler.owner, addresses, chosen.requests, worked)
    sys.stdout.write("as a member, who sees a third of the sessions\n")
    member = measure(filler.member, addresses, chosen.requests, worked)
    BUILD.mkdir(exist_ok=True)
    found = {"staff": rows, "member": member}
    (BUILD / f"pages-{chosen.database}.json").write_text(json.dumps(found, indent=1) + "\n")
    return _judged(rows + member, LIST_LIMIT_MS)


def _judged(rows: Rows, limit: float) -> int:
    slow = [row for row in rows if row["cpu_ms"] > limit]
    for row in slow:
        sys.stdout.write(f"{row['page']} takes {row['cpu_ms']} ms, which is more than {limit:g} ms\n")
    return 1 if slow else 0


def measure_all(chosen: argparse.Namespace, worked: Worked) -> int:
    """Ask for every page, as staff and as a member."""
    from bench.pages.addresses import pages  # noqa: PLC0415 -- models come after setup
    from bench.pages.filling import DAYS, Filler  # noqa: PLC0415
    from bench.pages.measuring import gauge_ms, measure  # noqa: PLC0415

    filler = Filler(chosen.invocations, agents=AGENTS)
    filler.fill()
    addresses = pages(filler)
    rows = measure(filler.owner, addresses, chosen.requests, worked)
    sys.stdout.write("as a member, who sees a third of the sessions\n")
    open_pages = {
        name: address
        for name, address in addresses.items()
        if not name.startswith("Admin") and "of 30 turns" not in name and "panel" not in name
    }
    member = measure(filler.member, open_pages, chosen.requests, worked)
    name = "SQLite in a file" if chosen.database == SQLITE else "PostgreSQL"
    conditions = (
        f"{chosen.invocations:,} invocations of {AGENTS} agents over {DAYS} days, {name}, medians of "
        f"{chosen.requests} requests through Django's handler after a first one: CPU time of the process, database "
        f"included, and time on the clock. The load of the machine was {os.getloadavg()[0]:.1f} on {os.cpu_count()} "
        f"cores, and sorting 100,000 random numbers took {gauge_ms():.0f} ms (17 ms when it is quiet). A "
        f"member sees a third of the sessions. Python {platform.python_version()}, {datetime.now(UTC):%B %Y}."
    )
    BUILD.mkdir(exist_ok=True)
    found = {"conditions": conditions, "staff": rows, "member": member}
    (BUILD / "pages.json").write_text(json.dumps(found, indent=1) + "\n")
    if not chosen.no_document:
        write_document(rows, member, conditions)
    return _judged(rows + member, LIMIT_MS)


def main() -> int:
    options = argparse.ArgumentParser(prog="bench.pages", description=(__doc__ or "").splitlines()[0])
    options.add_argument("--invocations", type=int, default=100_000)
    options.add_argument("--requests", type=int, default=15)
    options.add_argument("--database", choices=(SQLITE, POSTGRESQL), default=SQLITE)
    options.add_argument("--keep", type=Path, help="a folder that the database stays in, or is found in")
    options.add_argument("--copy-of", type=Path, help="a folder kept of SQLite, whose rows PostgreSQL gets")
    options.add_argument("--no-document", action="store_true", help="leave docs/performance-pages.md as it is")
    options.add_argument("--rows", type=int, help="measure lists and dashboards alone, over so many runs")
    options.add_argument("--only", default="", help="with --rows: what has this in its name")
    chosen = options.parse_args()
    with database(chosen.database, chosen.keep) as worked:
        from django.core.management import call_command  # noqa: PLC0415 -- after setup

        call_command("migrate", verbosity=0)
        if chosen.copy_of:
            from bench.pages.copying import copy_rows  # noqa: PLC0415

            copy_rows(chosen.copy_of / "pages.db")
        return measure_many(chosen, worked) if chosen.rows else measure_all(chosen, worked)


if __name__ == "__main__":
    sys.exit(main())
