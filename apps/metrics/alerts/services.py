"""Make and change rules, and do with alerts what a person does with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import ConflictError, InvalidInputError
from apps.metrics.alerts.deciding import Next, Standing
from apps.metrics.alerts.kinds import METRICS
from apps.metrics.alerts.recording import move
from apps.metrics.models import Alert, AlertChannel, AlertNotice, AlertRule
from apps.sessions.invoking import check_storable

State = Alert.State
NAME_LENGTH = 120
SHORTEST_S, LONGEST_S = 60, 7 * 86_400
MOST_MIN_N = 100_000
LONGEST_SNOOZE = timedelta(days=30)
NOTE_LENGTH = 300
MOST_RULES = 200


class RuleNameTakenError(ConflictError):
    """The owner has a rule of this name."""

    code = "rule_name_taken"


@dataclass(frozen=True, kw_only=True)
class RuleData:
    """Everything that makes a rule, as a form or a program says it."""

    name: str
    metric: str
    is_change: bool = False
    agent: Agent | None = None
    qualifier: str = ""
    version: str = ""
    start: str = ""
    counts_tests: bool = False
    window_s: int = 300
    direction: str = AlertRule.Direction.ABOVE
    warning: float | None = None
    alert: float | None = None
    min_n: int = 20
    no_data: str = AlertRule.NoData.KEEP
    is_enabled: bool = True
    channels: Sequence[AlertChannel] = field(default=())


def checked_name(name: str, longest: int) -> str:
    """A name on one line, as it goes into the subject of a mail. Raises InvalidInputError."""
    name = name.strip()
    if not 0 < len(name) <= longest or not name.isprintable():
        raise InvalidInputError(_("A name has 1 to %(most)d characters on one line.") % {"most": longest})
    return name


def make_rule(*, owner: User, data: RuleData) -> AlertRule:
    """Store a rule; it is looked at within half a minute. Raises InvalidInputError and RuleNameTakenError."""
    columns = _checked(data)
    if AlertRule.objects.filter(owner=owner).count() >= MOST_RULES:
        raise ConflictError(_("You have %(most)d rules, and no more are looked at.") % {"most": MOST_RULES})
    now = timezone.now()
    try:
        with transaction.atomic():
            rule = AlertRule.objects.create(owner=owner, created_at=now, next_at=now, **columns)
            rule.channels.set(data.channels)
    except IntegrityError:
        raise _taken(data) from None
    return rule


def unstored_rule(data: RuleData) -> AlertRule:
    """A rule to be tried out. Raises InvalidInputError."""
    now = timezone.now()
    return AlertRule(created_at=now, next_at=now, **_checked(data))


def change_rule(*, rule: AlertRule, data: RuleData) -> None:
    """Give a rule other contents. What is open is judged by them at the next look, which comes at once; where it is now
    about something else or looked at no more, what is open ends.
    """
    columns = _checked(data)
    about = ("metric", "is_change", "agent", "qualifier", "version", "start", "direction", "counts_tests")
    before = {name: getattr(rule, name) for name in about}
    now = timezone.now()
    try:
        with transaction.atomic():
            AlertRule.objects.filter(pk=rule.pk).update(next_at=now, error_message="", **columns)
            rule.refresh_from_db()
            rule.channels.set(data.channels)
            if not data.is_enabled or any(before[name] != getattr(rule, name) for name in about):
                for alert in rule.alerts.exclude(state=State.RESOLVED).select_related("rule"):
                    over = Next(Standing(State.RESOLVED, Alert.Level(alert.level)), is_change=True)
                    move(alert, over, {}, now, note=_("The rule was changed."))
    except IntegrityError:
        raise _taken(data) from None


def delete_rule(*, rule: AlertRule) -> None:
    """A rule goes with its alerts and their history."""
    rule.delete()


def try_channels(*, rule: AlertRule) -> list[AlertNotice]:
    """Tell every channel of a rule that this is a test. Raises ConflictError where it has none."""
    channels = list(rule.channels.all())
    if not channels:
        raise ConflictError(
            _("This rule has no channel: its alerts are shown in Loom alone."), advice=_("Give it one, then try it.")
        )
    now = timezone.now()
    return [AlertNotice.objects.create(rule=rule, channel=channel, created_at=now, next_at=now) for channel in channels]


def acknowledge(*, alert: Alert, by: User, note: str = "") -> None:
    """Say that somebody looks after it: it is quiet until it is over, or gets worse."""
    _by_hand(alert, by, note, State.ACKNOWLEDGED, among=(State.PENDING, State.FIRING, State.SNOOZED))


def snooze(*, alert: Alert, by: User, until: datetime, note: str = "") -> None:
    """Be quiet about it until an instant."""
    if not timezone.now() < until <= timezone.now() + LONGEST_SNOOZE:
        raise InvalidInputError(_("An alert is snoozed until an instant within %(days)d days.") % {"days": 30})
    _by_hand(alert, by, note, State.SNOOZED, among=(State.PENDING, State.FIRING, State.ACKNOWLEDGED), until=until)


def resolve(*, alert: Alert, by: User, note: str = "") -> None:
    """Say that it is over. Where the rule is still broken, a new one begins."""
    _by_hand(alert, by, note, State.RESOLVED, among=Alert.OPEN)


def _by_hand(
    alert: Alert,
    by: User,
    note: str,
    state: Alert.State,
    *,
    among: Sequence[Alert.State],
    until: datetime | None = None,
) -> None:
    """Raises ConflictError where the alert is, or has come, where this makes no sense.

    Raises InvalidInputError for a note that cannot be stored.
    """
    check_storable(note)
    following = Next(Standing(state, Alert.Level(alert.level), 0, until), is_change=True)
    with transaction.atomic():
        is_moved = alert.state in among and move(alert, following, {}, timezone.now(), by=by, note=note[:NOTE_LENGTH])
    if not is_moved:
        raise ConflictError(
            _("This alert is %(state)s by now.")
            % {"state": Alert.objects.get(pk=alert.pk).get_state_display().lower()},
            advice=_("Look at it again."),
        )


def _taken(data: RuleData) -> RuleNameTakenError:
    return RuleNameTakenError(_("You have a rule called %(name)s already.") % {"name": data.name.strip()})


def _checked(data: RuleData) -> dict[str, object]:
    """The columns of a rule. Raises InvalidInputError with what is wrong and what is possible."""
    metric = METRICS.get(data.metric)
    if metric is None:
        raise InvalidInputError(_("The metric is one of %(metrics)s.") % {"metrics": ", ".join(METRICS)})
    if data.is_change and not metric.can_change:
        raise InvalidInputError(_("A sum grows with the number of runs; two versions are not compared by it."))
    if data.is_change and data.direction != AlertRule.Direction.ABOVE:
        raise InvalidInputError(_("A change is found where a version is slower or fails more, so it is above."))
    if not SHORTEST_S <= data.window_s <= LONGEST_S:
        raise InvalidInputError(_("The window is %(least)d to %(most)d seconds.") % {"least": 60, "most": LONGEST_S})
    if not 0 <= data.min_n <= MOST_MIN_N:
        raise InvalidInputError(_("The least number of runs is 0 to %(most)d.") % {"most": MOST_MIN_N})
    _check_choices(data)
    _check_bounds(data, is_share=metric.unit == "share" and not data.is_change)
    names = ("metric", "is_change", "agent", "qualifier", "version", "start", "counts_tests", "window_s", "direction",
             "warning", "alert", "min_n", "no_data", "is_enabled")  # fmt: skip
    return {"name": checked_name(data.name, NAME_LENGTH)} | {name: getattr(data, name) for name in names}


def _check_choices(data: RuleData) -> None:
    choices: list[tuple[str, str, list[str]]] = [
        ("direction", data.direction, AlertRule.Direction.values),
        ("no_data", data.no_data, AlertRule.NoData.values),
        ("start", data.start, AlertRule.Start.values),
    ]
    for name, value, values in choices:
        if value not in values:
            told = ", ".join(one or '""' for one in values)
            raise InvalidInputError(_("%(name)s is one of %(values)s.") % {"name": name, "values": told})
    for name, value, longest in (("qualifier", data.qualifier, 48), ("version", data.version, 10)):
        if len(value) > longest or not value.isprintable():
            raise InvalidInputError(_("%(name)s has at most %(most)d characters.") % {"name": name, "most": longest})


def _check_bounds(data: RuleData, *, is_share: bool) -> None:
    bounds = [bound for bound in (data.warning, data.alert) if bound is not None]
    if not bounds:
        raise InvalidInputError(_("A rule has a bound to warn at, one to alert at, or both."))
    if not all(math.isfinite(bound) and bound >= 0 for bound in bounds):
        raise InvalidInputError(_("A bound is a number of 0 or more."))
    if is_share and max(bounds) > 1:
        raise InvalidInputError(_("A rate is a share of 1: 0.05 is 5 %."))
    if data.warning is not None and data.alert is not None:
        sign = -1 if data.direction == AlertRule.Direction.BELOW else 1
        if sign * data.warning > sign * data.alert:
            raise InvalidInputError(_("A rule warns before it alerts: the two bounds are the wrong way round."))
