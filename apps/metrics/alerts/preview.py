"""What a rule would have said of the past: the same reading, judging and deciding, without a trace."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apps.agents.models import Agent
from apps.metrics.alerts.deciding import Standing, judge, level_of, proceed
from apps.metrics.alerts.evaluating import every
from apps.metrics.alerts.kinds import METRICS, Run
from apps.metrics.alerts.reading import by_agent, read, runs_of, seen_of, versions_of
from apps.metrics.alerts.sequential import find_change, next_look
from apps.metrics.models import Alert, AlertRule

PERIOD = timedelta(days=7)
MOST_LOOKS = 50_000  # without those that are skipped, because nothing ran
MOST_RUNS = 20_000
MOST_AGENTS = 50
State = Alert.State


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert that there would have been; without `end_at` it would be open still."""

    agent: str
    begin_at: datetime
    end_at: datetime | None
    level: str
    worst: float | None


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions of an agent and what the test says of them; `more` is None where it found nothing."""

    agent: str
    before_version: str
    version: str
    n: int
    more: float | None
    level: str
    next_look: int | None


@dataclass(slots=True)
class Preview:
    """What a rule would have said: how often it looked, how often too little was known, and what it would have told."""

    begin_at: datetime
    end_at: datetime
    look_count: int = 0
    silent_count: int = 0
    run_count: int = 0
    is_cut: bool = False
    is_change: bool = False
    walked_count: int = 0
    episodes: list[Episode] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)

    @property
    def told_count(self) -> int:
        return len(self.episodes) + sum(bool(one.level) for one in self.compared)


def preview(rule: AlertRule, now: datetime) -> Preview:
    """Look at the last week; `rule` need not be stored."""
    made = Preview(now - PERIOD, now)
    if rule.is_change:
        made.is_change = True
        _compare(rule, made)
        return made
    since = made.begin_at - rule.window
    runs = read(runs_of(rule).filter(completed_at__gte=since, completed_at__lt=now), MOST_RUNS)
    made.run_count, made.is_cut = len(runs), len(runs) == MOST_RUNS
    if made.is_cut:
        made.begin_at = min(now, runs[-1].completed_at + rule.window)
    names = dict(Agent.objects.filter(pk__in={run.agent_id for run in runs}).values_list("pk", "name"))
    for agent_id, own in list(by_agent(runs).items())[:MOST_AGENTS]:
        _walk(rule, names.get(agent_id, ""), own[::-1], made)
    made.episodes.sort(key=lambda one: one.begin_at)
    return made


def _walk(rule: AlertRule, agent: str, runs: list[Run], made: Preview) -> None:
    """Look at one agent's runs, given in the order in which they ended, again and again."""
    ends = [run.completed_at for run in runs]
    step = every(rule)
    standing: Standing | None = None
    begun_at, worst, is_told = made.begin_at, None, False
    at = made.begin_at
    while at <= made.end_at and made.walked_count < MOST_LOOKS:
        window = runs[bisect_left(ends, at - rule.window) : bisect_left(ends, at)]
        sample = seen_of(rule, window, at).sample
        verdict = judge(rule, sample)
        made.look_count += 1
        made.walked_count += 1
        made.silent_count += verdict.outcome == "unknown"
        before, following = standing, proceed(standing, verdict, at)
        if following is not None:
            if standing is None:
                begun_at, worst = at, sample.value
            is_told = is_told or following.tells
            worst = _worse(rule, worst, sample.value)
            standing = following.standing
            if standing.state == State.RESOLVED:
                if is_told:
                    made.episodes.append(Episode(agent, begun_at, at, standing.level, worst))
                standing, is_told = None, False
        at += step
        if not window and (following is None or following.standing == before):
            at = _skip(made, ends, at, step, is_silent=verdict.outcome == "unknown")
    made.is_cut = made.is_cut or at <= made.end_at
    if standing is not None and is_told:
        made.episodes.append(Episode(agent, begun_at, None, standing.level, worst))


def _skip(made: Preview, ends: list[datetime], at: datetime, step: timedelta, *, is_silent: bool) -> datetime:
    """The first look at which another run has ended; those until then say what the last one said, and only count."""
    place = bisect_left(ends, at)
    until = ends[place] if place < len(ends) else made.end_at + step
    count = max(0, -((at - until) // step))
    made.look_count += count
    made.silent_count += count if is_silent else 0
    return at + step * count


def _worse(rule: AlertRule, worst: float | None, value: float | None) -> float | None:
    if worst is None or value is None:
        return worst if value is None else value
    return min(worst, value) if rule.direction == AlertRule.Direction.BELOW else max(worst, value)


def _compare(rule: AlertRule, made: Preview) -> None:
    agents = Agent.objects.filter(last_invoked_at__isnull=False, removed_at=None).order_by("-last_invoked_at")
    if rule.agent_id is not None:
        agents = agents.filter(pk=rule.agent_id)
    is_share = METRICS[rule.metric].unit == "share"
    for pk, name in agents.values_list("pk", "name")[:MOST_AGENTS]:
        versions = versions_of(rule, pk, made.end_at)
        if versions is None:
            continue
        change = find_change(versions.before, versions.after, is_share=is_share)
        count = len(versions.after)
        made.run_count += count + len(versions.before)
        made.look_count += 1
        level = None if change is None else level_of(rule, change.more)
        more = None if change is None else change.more
        compared = Compared(name, versions.before_version, versions.version, count, more, level or "", next_look(count))
        made.compared.append(compared)
