"""What the newest runs of a selection used: tokens, and what they cost where that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from apps.agents.selectors import in_use
from apps.metrics.figures.readings import PURPOSES, Selection
from apps.metrics.figures.tally import Tally
from apps.metrics.figures.targets import Sample
from apps.sessions.models import Invocation, Session

# Enough for a median within a few percent, and few enough for a page.
NEWEST = 300
MICRO = 1_000_000
USAGE = ("tokens_in", "tokens_out", "cost")


def usage_of(selection: Selection, by_step: Mapping[datetime, Tally]) -> dict[str, Sample]:
    """Tokens in and out and cost in US dollars of the newest `NEWEST` completed runs; `by_step` tells where these are,
    so that a version of long ago is not looked for among all that came later.
    """
    since, until = _where(selection, by_step)
    sessions = Session.objects.filter(
        in_use("agent__"),
        pk=OuterRef("session_id"),
        purpose__in=PURPOSES[selection.measure_start],
        deleted_at=None,
    )
    if selection.agent_id is not None:
        sessions = sessions.filter(agent=selection.agent_id)
    if selection.qualifier:
        sessions = sessions.filter(qualifier=selection.qualifier)
    # By what they are not: nearly all are completed, and an index of the status is to be asked of none of them.
    others = [status for status in Invocation.Status if status != Invocation.Status.COMPLETED]
    runs = Invocation.objects.filter(
        ~Q(status__in=others), Exists(sessions), requested_at__gte=since, requested_at__lt=until
    )
    if selection.version:
        runs = runs.filter(version=selection.version)
    names = ("input_token_count", "output_token_count", "cost_usd", "cost_source")
    rows = list(runs.order_by("-requested_at", "-pk").values_list(*names)[:NEWEST])
    counts = Counter(source for *_, cost, source in rows if cost is not None)
    source = counts.most_common(1)[0][0] if counts else ""
    costs = sorted(round(cost * MICRO) for *_, cost, known in rows if cost is not None and known == source)
    return {
        "tokens_in": Sample(sorted(row[0] for row in rows if row[0] is not None)),
        "tokens_out": Sample(sorted(row[1] for row in rows if row[1] is not None)),
        "cost": Sample(costs, MICRO, source or "", sum(counts.values()) - len(costs)),
    }


def _where(selection: Selection, by_step: Mapping[datetime, Tally]) -> tuple[datetime, datetime]:
    """The part of the range in which the newest completed runs are."""
    count, since, until = 0, selection.end, selection.end
    ordered = sorted(by_step, reverse=True)
    for newer, at in zip([None, *ordered], ordered, strict=False):
        completed = by_step[at].count(("completed",))
        if completed and not count and newer is not None:
            until = min(newer, selection.end)
        count += completed
        since = at
        if count >= NEWEST:
            break
    return max(since, selection.start), until
