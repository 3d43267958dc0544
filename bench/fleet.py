"""What the list of ten thousand agents costs: python -m bench.fleet [--agents 10000] [--invocations 100000]

Fills a throw-away database like bench.pages, without recordings, with all runs in the last seven days, lets the
worker's own steps store the past hours, the costs and the weeks of the agents, and asks for the list in each order and
by each filter. Prints milliseconds of processor time and statements. The exit status is 1 where one takes longer than
the limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from bench.pages.database import SQLITE, database

if TYPE_CHECKING:
    from bench.pages.filling import Filler

LIMIT_MS = 150.0
DAYS = 7
ORDERS = ("-active", "name", "-runs", "-errors", "-ttft_cold", "ttft_warm", "-startup", "-cost")


def addresses(filler: Filler) -> dict[str, str]:
    """The address of each list by its name."""
    found = {f"in the order {order}": f"/agents/?sort={order}" for order in ORDERS}
    return found | {
        "the table alone": "/agents/?page=2",
        "page 150": "/agents/?sort=-errors&page=150",
        "a word of all": "/agents/?q=agent",
        "a word of some": "/agents/?q=agent_77",
        "a word of none": "/agents/?q=submarine",
        "with a tag": "/agents/?tag=school",
        "of a region": "/agents/?region=us-east-1&status=READY",
        "with a star": "/agents/?favourite=yes",
        "a row unfolded": f"/agents/{filler.agents[0].pk}/recent/",
        "API: 50 of them": "/api/agents?sort=-errors&limit=50",
        "API: with a tag, 50 of them": "/api/agents?tag=school&limit=50",
    }


def settle() -> None:
    """What the worker does, and how long it takes."""
    from django.utils import timezone  # noqa: PLC0415 -- models come after setup

    from apps.metrics.figures.store_periods import settle_figures  # noqa: PLC0415
    from apps.metrics.spending.days import settle_costs  # noqa: PLC0415
    from apps.metrics.weeks.making import make_weeks  # noqa: PLC0415

    worked = time.process_time()
    while settle_figures(timezone.now()) or settle_costs(timezone.now()):
        pass
    sys.stdout.write(f"hours and days stored: {time.process_time() - worked:.1f} s\n")
    for said in ("weeks made", "weeks made again"):
        worked = time.process_time()
        changed = make_weeks(timezone.now())
        sys.stdout.write(f"{said}, {changed:,} of them different: {time.process_time() - worked:.1f} s\n")


def decorate(filler: Filler) -> None:
    """Tags, stars and states that filters tell apart."""
    from apps.agents.models import Agent, AgentTag, FavouriteAgent  # noqa: PLC0415 -- models come after setup
    from apps.core.tags import tags_named  # noqa: PLC0415

    (tag,) = tags_named(["school"])
    AgentTag.objects.bulk_create(AgentTag(agent=agent, tag=tag) for agent in filler.agents[::3])
    FavouriteAgent.objects.bulk_create(FavouriteAgent(owner=filler.owner, agent=agent) for agent in filler.agents[:40])
    Agent.objects.filter(pk__in=[agent.pk for agent in filler.agents[::50]]).update(status="UPDATING")


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--agents", type=int, default=10_000)
    options.add_argument("--invocations", type=int, default=100_000)
    options.add_argument("--requests", type=int, default=9)
    chosen = options.parse_args()
    with database(SQLITE, None) as worked:
        from django.core.management import call_command  # noqa: PLC0415 -- models come after setup

        from bench.pages.filling import Filler  # noqa: PLC0415
        from bench.pages.measuring import gauge_ms, measure  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        filler = Filler(chosen.invocations, agents=chosen.agents, has_recordings=False, days=DAYS)
        filler.fill()
        decorate(filler)
        settle()
        rows = measure(filler.owner, addresses(filler), chosen.requests, worked)
        sys.stdout.write(f"load {os.getloadavg()[0]:.1f}, 100,000 numbers sorted in {gauge_ms():.0f} ms\n")
    slow = [row for row in rows if row["cpu_ms"] > LIMIT_MS]
    for row in slow:
        sys.stdout.write(f"{row['page']} takes {row['cpu_ms']} ms, which is more than {LIMIT_MS:g} ms\n")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
