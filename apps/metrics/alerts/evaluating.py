"""Look at rules that are due and write what follows, for whichever worker comes first.

Everything that a look changes is one transaction, which begins by taking the rule's turn: of two workers the second
finds it taken, and a kill in the middle leaves nothing but a rule that is still due. So each change of a state is
stored once, and with it one notice for each channel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from apps.metrics.alerts.deciding import Next, Standing, Verdict, judge, level_of, proceed
from apps.metrics.alerts.kinds import METRICS, Sample
from apps.metrics.alerts.reading import agents_changed_since, versions_of, window_of
from apps.metrics.alerts.recording import move, open_alert
from apps.metrics.alerts.sequential import find_change
from apps.metrics.models import Alert, AlertRule

logger = logging.getLogger(__name__)

State = Alert.State
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(minutes=15)
CHANGES_EVERY = timedelta(minutes=10)
PARTS_OF_WINDOW = 10
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Found:
    """What a look says of one agent, with what it is told by."""

    agent_id: int
    verdict: Verdict
    sample: Sample
    since_at: datetime
    version: str = ""
    before_version: str = ""


def every(rule: AlertRule) -> timedelta:
    """How often a rule is looked at: ten times in its window, within bounds."""
    if rule.is_change:
        return CHANGES_EVERY
    return min(LONGEST, max(SHORTEST, rule.window / PARTS_OF_WINDOW))


def due_rules(now: datetime) -> list[int]:
    due = AlertRule.objects.filter(is_enabled=True, next_at__lte=now)
    return list(due.order_by("next_at").values_list("pk", flat=True))


def evaluate_due(now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Look at every rule that is due, until `is_over`; return how many were looked at."""
    count = 0
    for pk in due_rules(now):
        if is_over():
            break
        count += evaluate_rule(pk, now)
    return count


def evaluate_rule(pk: int, now: datetime) -> bool:
    """Look at one rule; False where it is not due, or somebody else has just looked.

    A rule that cannot be looked at says so, and keeps none of the others from it.
    """
    rule = AlertRule.objects.filter(pk=pk, is_enabled=True, next_at__lte=now).first()
    if rule is None:
        return False
    try:
        found = look(rule, now)
    except Exception as error:
        logger.exception("alert rule not evaluated rule=%d", pk)
        told = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        AlertRule.objects.filter(pk=pk, next_at=rule.next_at).update(next_at=now + LONGEST, error_message=told)
        return False
    with transaction.atomic():
        if not _take_turn(rule, now):
            return False
        for one in found:
            carry(rule, one, now)
    return True


def look(rule: AlertRule, now: datetime) -> list[Found]:
    """What a rule says now, by agent. Nothing is written."""
    if rule.is_change:
        return [one for agent in agents_changed_since(rule) if (one := _changed(rule, agent, now))]
    return [
        Found(agent, judge(rule, seen.sample), seen.sample, seen.since_at)
        for agent, seen in sorted(window_of(rule, now).items())
    ]


def carry(rule: AlertRule, found: Found, now: datetime) -> None:
    """Write what follows from what was found of one agent."""
    if rule.is_change:
        _carry_change(rule, found, now)
        return
    alert = Alert.objects.exclude(state=State.RESOLVED).filter(rule=rule, agent=found.agent_id).first()
    standing = None if alert is None else _standing(alert)
    following = proceed(standing, found.verdict, now)
    if following is None:
        return
    if alert is None:
        open_alert(rule, found.agent_id, following, _columns(rule, found, now, following) | _begun(found, now), now)
        return
    move(alert, following, _columns(rule, found, now, following, alert), now)


def _take_turn(rule: AlertRule, now: datetime) -> bool:
    turn = AlertRule.objects.filter(pk=rule.pk, next_at=rule.next_at, is_enabled=True)
    return bool(turn.update(evaluated_at=now, next_at=now + every(rule), error_message=""))


def _changed(rule: AlertRule, agent_id: int, now: datetime) -> Found | None:
    versions = versions_of(rule, agent_id, now)
    if versions is None:
        return None
    change = find_change(versions.before, versions.after, is_share=METRICS[rule.metric].unit == "share")
    level = None if change is None else level_of(rule, change.more)
    verdict = Verdict("calm") if level is None else Verdict("broken", level)
    sample = Sample(len(versions.after)) if change is None else Sample(change.n, change.more)
    return Found(agent_id, verdict, sample, versions.since_at, versions.version, versions.before_version)


def _carry_change(rule: AlertRule, found: Found, now: datetime) -> None:
    """What a version has changed fires at once, for the test is sure enough, and once; the next version ends it."""
    for alert in Alert.objects.exclude(state=State.RESOLVED).filter(rule=rule, agent=found.agent_id):
        if alert.version != found.version:
            over = Next(Standing(State.RESOLVED, Alert.Level(alert.level)), is_change=True, tells=True)
            move(alert, over, {"seen_at": now}, now, note=f"Version {found.version} came.")
    if found.verdict.outcome != "broken" or found.verdict.level is None:
        return
    if Alert.objects.filter(rule=rule, agent=found.agent_id, version=found.version).exists():
        return
    following = Next(Standing(State.FIRING, found.verdict.level), is_change=True, tells=True)
    columns = _columns(rule, found, now, following) | _begun(found, now)
    versions = {"version": found.version, "before_version": found.before_version}
    open_alert(rule, found.agent_id, following, columns | versions, now)


def _standing(alert: Alert) -> Standing:
    return Standing(State(alert.state), Alert.Level(alert.level), alert.calm_count, alert.snoozed_until)


def _begun(found: Found, now: datetime) -> dict[str, object]:
    return {"since_at": found.since_at, "opened_at": now}


def _columns(
    rule: AlertRule, found: Found, now: datetime, following: Next, alert: Alert | None = None
) -> dict[str, object]:
    """What is kept of the look. What resolves an alert does not take away what it was about."""
    columns: dict[str, object] = {"seen_at": now, "calm_count": following.standing.calm_count}
    if found.verdict.outcome != "broken":
        return columns
    value = found.sample.value
    worst = value if alert is None or alert.worst is None else alert.worst
    if value is not None and worst is not None:
        worst = min(worst, value) if rule.direction == AlertRule.Direction.BELOW else max(worst, value)
    return columns | {
        "value": value,
        "low": found.sample.low,
        "high": found.sample.high,
        "n": found.sample.n,
        "worst": worst,
        "is_no_data": found.verdict.is_no_data,
    }
