"""How an alert goes from one state to the next. Pure: what a look saw and where the alert stands go in.

nothing → pending → firing → resolved        a second look in a row confirms, two without it end
                    firing ⇄ acknowledged    by a person; a higher level makes it fire again
                    firing ⇄ snoozed         by a person, until an instant
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from apps.metrics.alerts.kinds import METRICS, Sample
from apps.metrics.models import Alert, AlertRule

State, Level = Alert.State, Alert.Level
Outcome = Literal["broken", "calm", "unknown"]
CALM_LOOKS = 2
_HEIGHT = {Level.WARNING: 1, Level.ALERT: 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look says of one agent. `unknown`: too little is known, and the rule says to leave things as they are."""

    outcome: Outcome
    level: Alert.Level | None = None
    is_no_data: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an alert stands."""

    state: Alert.State
    level: Alert.Level
    calm_count: int = 0
    snoozed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """Where it stands then; `is_change` is stored as one, `tells` goes out by the rule's channels."""

    standing: Standing
    is_change: bool = False
    tells: bool = False


def needed_n(rule: AlertRule) -> int:
    """From how many runs on the rule says anything."""
    return max(rule.min_n, METRICS[rule.metric].least_n)


def judge(rule: AlertRule, sample: Sample) -> Verdict:
    """What a rule with bounds says of a sample."""
    if METRICS[rule.metric].key != "run_count" and (sample.n < needed_n(rule) or sample.value is None):
        if rule.no_data == AlertRule.NoData.ALERT:
            return Verdict("broken", Level.WARNING if rule.alert is None else Level.ALERT, is_no_data=True)
        return Verdict("calm" if rule.no_data == AlertRule.NoData.OK else "unknown")
    level = level_of(rule, sample.value or 0.0)
    return Verdict("calm") if level is None else Verdict("broken", level)


def level_of(rule: AlertRule, value: float) -> Alert.Level | None:
    """The highest level that a value is beyond."""
    sign = -1 if rule.direction == AlertRule.Direction.BELOW else 1
    for level, bound in ((Level.ALERT, rule.alert), (Level.WARNING, rule.warning)):
        if bound is not None and sign * value > sign * bound:
            return level
    return None


def proceed(standing: Standing | None, verdict: Verdict, now: datetime) -> Next | None:
    """What follows from a look; None where there is nothing and stays nothing."""
    if verdict.outcome == "broken" and verdict.level is not None:
        return _broken(standing, verdict.level, now)
    if standing is None or verdict.outcome == "unknown":
        return None if standing is None else Next(standing)
    calm = standing.calm_count + 1
    if standing.state == State.PENDING:  # it was nothing
        return Next(Standing(State.RESOLVED, standing.level), is_change=True)
    if calm >= CALM_LOOKS:
        return Next(Standing(State.RESOLVED, standing.level, calm), is_change=True, tells=True)
    return Next(Standing(standing.state, standing.level, calm, standing.snoozed_until))


def _broken(standing: Standing | None, level: Alert.Level, now: datetime) -> Next:
    if standing is None:
        return Next(Standing(State.PENDING, level), is_change=True)
    if standing.state == State.PENDING:
        return Next(Standing(State.FIRING, level), is_change=True, tells=True)
    is_higher = _HEIGHT[level] > _HEIGHT[standing.level]
    is_over = standing.state == State.SNOOZED and standing.snoozed_until is not None and standing.snoozed_until <= now
    if is_over or (is_higher and standing.state != State.SNOOZED):
        return Next(Standing(State.FIRING, level), is_change=True, tells=True)
    if level != standing.level and standing.state == State.FIRING:  # it got better, and is not over
        return Next(Standing(State.FIRING, level), is_change=True)
    # While somebody knows of it the highest level that they know of is kept.
    return Next(Standing(standing.state, standing.level, 0, standing.snoozed_until))
