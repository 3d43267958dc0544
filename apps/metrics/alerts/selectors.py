"""Every read of alerts, their rules and channels."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q, QuerySet

from apps.accounts.models import User
from apps.accounts.policy import Action, subject_of, visible
from apps.metrics.models import Alert, AlertChannel, AlertNotice, AlertRule

FIRING = Alert.State.FIRING


def rules_visible_to(user: User | AnonymousUser, action: Action = "read") -> QuerySet[AlertRule]:
    """The rules with which `user` may do the action: their own, those of Loom itself, of everybody for the staff."""
    rules = AlertRule.objects.filter(visible(subject_of(user), AlertRule, action))
    return rules.select_related("owner", "agent")


def with_open(rules: QuerySet[AlertRule]) -> QuerySet[AlertRule]:
    """Add `open_count`, the alerts of each that are open."""
    return rules.annotate(open_count=Count("alerts", filter=~Q(alerts__state=Alert.State.RESOLVED)))


def alerts_visible_to(user: User | AnonymousUser, action: Action = "read") -> QuerySet[Alert]:
    """The alerts of those rules."""
    alerts = Alert.objects.filter(visible(subject_of(user), Alert, action))
    return alerts.select_related("rule__owner", "agent")


def channels_visible_to(user: User | AnonymousUser) -> QuerySet[AlertChannel]:
    """A user's own channels: what stands in them is nobody else's."""
    return AlertChannel.objects.filter(visible(subject_of(user), AlertChannel)).select_related("secret")


def notices_visible_to(user: User | AnonymousUser) -> QuerySet[AlertNotice]:
    """The notices that go out by a user's channels."""
    notices = AlertNotice.objects.filter(visible(subject_of(user), AlertNotice))
    return notices.select_related("channel", "rule", "change__alert__agent", "budget_period__budget")


def firing_count(user: User) -> int:
    """How many alerts wait for somebody, of those that `user` sees."""
    return Alert.objects.filter(visible(subject_of(user), Alert), state=FIRING).count()
