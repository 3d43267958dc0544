"""The runs that rules look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min, Q, QuerySet

from apps.agents.models import Agent
from apps.agents.selectors import in_use
from apps.metrics.alerts.kinds import COLUMNS, METRICS, Run, Sample, sample_of, value_of
from apps.metrics.alerts.sequential import LOOKS, MOST_BEFORE, Observation
from apps.metrics.figures.tally import TEMPERATURE
from apps.metrics.models import AlertRule
from apps.sessions.models import Invocation, Session

# A window that holds more is judged by its newest: they are read within a second, and say enough.
MOST_RUNS = 50_000
# Agents that were used at all in this time can be missed.
USED_WITHIN = timedelta(days=7)
VERSIONS_WITHIN = timedelta(days=30)
SETTLED_AFTER = timedelta(minutes=10)  # until then a start is still looked for
QUARTER_H = 6
TESTS = (
    Invocation.Source.MEASURE,
    Invocation.Source.PROMPT_SET,
    Invocation.Source.SIDE_BY_SIDE,
    Invocation.Source.BENCH,
)
STARTS = {AlertRule.Start.COLD: ("created", "pooled"), AlertRule.Start.WARM: ("reused",)}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a window says of an agent; `since_at` is when the first of its runs was asked for."""

    sample: Sample
    since_at: datetime


@dataclass(frozen=True, slots=True)
class Versions:
    """Two versions of an agent, the newer one's runs in the order in which they ended."""

    version: str
    before_version: str
    since_at: datetime
    before: list[Observation]
    after: list[Observation]


def runs_of(rule: AlertRule) -> QuerySet[Invocation]:
    """The runs that have ended and that a rule counts, of whatever time."""
    runs = Invocation.objects.filter(
        in_use("session__agent__"),
        session__agent__removed_at=None,
        session__deleted_at=None,
        status__in=Invocation.FINISHED,
    )
    if rule.agent_id is not None:
        runs = runs.filter(session__agent=rule.agent_id)
    if rule.qualifier:
        runs = runs.filter(session__qualifier=rule.qualifier)
    if rule.version and not rule.is_change:
        runs = runs.filter(version=rule.version)
    if rule.start:
        runs = runs.filter(measurement__start_kind__in=STARTS[AlertRule.Start(rule.start)])
    if not rule.counts_tests:
        runs = runs.filter(Q(source__isnull=True) | ~Q(source__in=TESTS))
        runs = runs.filter(session__purpose=Session.Purpose.CONVERSATION)
    return runs.order_by("-completed_at")


def read(runs: QuerySet[Invocation], most: int = MOST_RUNS) -> list[Run]:
    return [Run(*columns) for columns in runs.values_list(*COLUMNS)[:most]]


def window_of(rule: AlertRule, now: datetime) -> dict[int, Seen]:
    """What the window that ends now says, by agent; of agents without a run in it, only those that could be missed."""
    start = now - rule.window
    runs = read(runs_of(rule).filter(completed_at__gte=start, completed_at__lt=now))
    found = {agent: seen_of(rule, own, start) for agent, own in by_agent(runs).items()}
    for agent in _missable(rule, now):
        found.setdefault(agent, Seen(sample_of(METRICS[rule.metric], ()), start))
    return found


def by_agent(runs: Iterable[Run]) -> dict[int, list[Run]]:
    found: dict[int, list[Run]] = {}
    for run in runs:
        found.setdefault(run.agent_id, []).append(run)
    return found


def seen_of(rule: AlertRule, runs: list[Run], start: datetime) -> Seen:
    metric = METRICS[rule.metric]
    values = [value for run in runs if (value := value_of(metric, run)) is not None]
    return Seen(sample_of(metric, values), min((run.requested_at for run in runs), default=start))


def _missable(rule: AlertRule, now: datetime) -> list[int]:
    agents = Agent.objects.filter(in_use(), removed_at=None)
    if rule.agent_id is not None:
        agents = agents.filter(pk=rule.agent_id)
    elif rule.no_data == AlertRule.NoData.ALERT or rule.metric == "run_count":
        agents = agents.filter(last_invoked_at__gte=now - USED_WITHIN)
    else:
        agents = agents.filter(alerts__rule=rule).exclude(alerts__state="resolved")
    return list(agents.order_by().values_list("pk", flat=True).distinct())


def agents_changed_since(rule: AlertRule) -> list[int]:
    """The agents that ran since a rule about changes was looked at last: of others it can say nothing new."""
    agents = Agent.objects.filter(in_use(), removed_at=None, last_invoked_at__isnull=False)
    if rule.agent_id is not None:
        agents = agents.filter(pk=rule.agent_id)
    if rule.evaluated_at is not None:
        agents = agents.filter(last_invoked_at__gte=rule.evaluated_at - SETTLED_AFTER - timedelta(hours=1))
    return list(agents.order_by("pk").values_list("pk", flat=True))


def versions_of(rule: AlertRule, agent_id: int, now: datetime) -> Versions | None:
    """The newest version of an agent that has ended a run, or the rule's own, and the one before it; None without two.

    What was measured with the older one is taken from before the newer one's first run.
    """
    runs = runs_of(rule).filter(session__agent=agent_id, completed_at__gte=now - VERSIONS_WITHIN).exclude(version="")
    until = now - (SETTLED_AFTER if rule.metric.startswith("startup") else timedelta(0))
    runs = runs.filter(completed_at__lt=until)
    firsts = list(runs.order_by().values_list("version").annotate(first=Min("completed_at")).order_by("first"))
    names = [version for version, _first in firsts]
    at = names.index(rule.version) if rule.version in names else len(names) - 1
    if at < 1 or (rule.version and rule.version not in names):
        return None
    (before_version, _), (version, first_at) = firsts[at - 1], firsts[at]
    older = read(runs.filter(version=before_version, completed_at__lt=first_at), MOST_BEFORE)
    newer = read(runs.filter(version=version).order_by("completed_at", "pk"), LOOKS[-1])
    since_at = min(run.requested_at for run in newer) if newer else first_at
    return Versions(version, before_version, since_at, _observed(rule, older), _observed(rule, newer))


def _observed(rule: AlertRule, runs: Iterable[Run]) -> list[Observation]:
    metric = METRICS[rule.metric]
    return [
        Observation(value, (TEMPERATURE.get(run.start_kind or ""), run.requested_at.hour // QUARTER_H))
        for run in runs
        if (value := value_of(metric, run)) is not None
    ]
