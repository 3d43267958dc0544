"""Rows of alerts: what is looked at, where it is told, what was found, and who was told of it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.urls import reverse


class AlertChannel(models.Model):
    """Where alerts are told. What is secret of it (a signing key, the address of a chat's hook) is in the vault."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Signed webhook"
        SLACK = "slack", "Slack-compatible webhook"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alert_channels")
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=7, choices=Kind.choices)
    address = models.CharField(
        max_length=2000, help_text="Mail addresses by commas, a webhook's address, or the host of a chat's hook."
    )
    secret = models.ForeignKey("vault.Secret", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    budgets = models.ManyToManyField("costs.Budget", related_name="channels", blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="alert_channel_named_once_by_owner")]

    def __str__(self) -> str:
        return self.name


class AlertRule(models.Model):
    """What is looked at, and from which value on somebody is told. Without an agent each is looked at for itself.

    The times and bounds are in the units of the metric: milliseconds, shares of 1, counts, US dollars. A rule about a
    change has shares of the value before instead: 0.25 is a quarter more.
    """

    class NoData(models.TextChoices):
        KEEP = "keep", "stay as it is"
        OK = "ok", "count as well"
        ALERT = "alert", "alert"

    class Direction(models.TextChoices):
        ABOVE = "above"
        BELOW = "below"

    class Start(models.TextChoices):
        ANY = "", "cold and warm"
        COLD = "cold"
        WARM = "warm"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules",
        help_text="Nobody's rules came with Loom: everybody sees them, the staff changes them.",
    )  # fmt: skip
    name = models.CharField(max_length=120)
    metric = models.CharField(max_length=20)
    is_change = models.BooleanField(default=False, help_text="Compares a version with the one before it.")
    agent = models.ForeignKey(
        "agents.Agent", on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules"
    )
    qualifier = models.CharField(max_length=48, blank=True, default="")
    version = models.CharField(max_length=10, blank=True, default="")
    start = models.CharField(max_length=4, choices=Start.choices, blank=True, default=Start.ANY)
    counts_tests = models.BooleanField(
        default=False, help_text="Count the runs of Measure start, prompt sets and comparisons too."
    )
    window_s = models.PositiveIntegerField()
    direction = models.CharField(max_length=5, choices=Direction.choices, default=Direction.ABOVE)
    warning = models.FloatField(null=True, blank=True)
    alert = models.FloatField(null=True, blank=True)
    min_n = models.PositiveIntegerField()
    no_data = models.CharField(max_length=5, choices=NoData.choices, default=NoData.KEEP)
    is_enabled = models.BooleanField(default=True)
    channels = models.ManyToManyField(AlertChannel, through="AlertRuleChannel", related_name="rules")
    created_at = models.DateTimeField()
    next_at = models.DateTimeField(help_text="When it is looked at again.")
    evaluated_at = models.DateTimeField(null=True, blank=True)
    error_message = models.CharField(max_length=300, blank=True, default="", help_text="Why the last look failed.")

    class Meta:
        ordering = ["name", "id"]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(is_enabled=True), name="alert_rule_due"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"], condition=models.Q(owner__isnull=False), name="alert_rule_named_once_by_owner"
            ),
            models.CheckConstraint(
                condition=models.Q(warning__isnull=False) | models.Q(alert__isnull=False), name="alert_rule_has_level"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("alerts:rule", args=[self.pk])

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.window_s)


class AlertRuleChannel(models.Model):
    """That alerts of a rule are told in a channel."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE)
    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["rule", "channel"], name="alert_rule_channel_once")]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.channel_id}"


class Alert(models.Model):
    """One time that a rule was broken by an agent, from its first sign to its end."""

    class State(models.TextChoices):
        PENDING = "pending"
        FIRING = "firing"
        ACKNOWLEDGED = "acknowledged"
        SNOOZED = "snoozed"
        RESOLVED = "resolved"

    class Level(models.TextChoices):
        WARNING = "warning"
        ALERT = "alert"

    OPEN = (State.PENDING, State.FIRING, State.ACKNOWLEDGED, State.SNOOZED)

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="alerts")
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    level = models.CharField(max_length=7, choices=Level.choices)
    version = models.CharField(max_length=10, blank=True, default="", help_text="The version that changed something.")
    before_version = models.CharField(max_length=10, blank=True, default="")
    is_no_data = models.BooleanField(default=False)
    value = models.FloatField(null=True, blank=True)
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    n = models.PositiveIntegerField(default=0)
    worst = models.FloatField(null=True, blank=True)
    since_at = models.DateTimeField(help_text="The beginning of the window in which it was first seen.")
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When the rule was last looked at with it open.")
    calm_count = models.PositiveSmallIntegerField(default=0, help_text="How often in a row nothing was wrong.")
    snoozed_until = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "-id"], name="alert_state"),
            models.Index(fields=["id"], condition=~models.Q(state="resolved"), name="alert_open"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "agent"], condition=~models.Q(state="resolved"), name="alert_open_once"
            ),
            # What a version has changed is said once, whatever becomes of it.
            models.UniqueConstraint(
                fields=["rule", "agent", "version"], condition=~models.Q(version=""), name="alert_of_version_once"
            ),
        ]

    def __str__(self) -> str:
        return f"alert {self.pk}: {self.state}"

    def get_absolute_url(self) -> str:
        return reverse("alerts:detail", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.state != self.State.RESOLVED


class AlertChange(models.Model):
    """One change of an alert's state or level, by a look at its rule or by a person."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="changes")
    number = models.PositiveIntegerField(help_text="Counts from 1.")
    state = models.CharField(max_length=12, choices=Alert.State.choices)
    level = models.CharField(max_length=7, choices=Alert.Level.choices)
    value = models.FloatField(null=True, blank=True)
    n = models.PositiveIntegerField(default=0)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    note = models.CharField(max_length=300, blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        ordering = ["alert_id", "number"]
        constraints = [models.UniqueConstraint(fields=["alert", "number"], name="alert_change_once")]

    def __str__(self) -> str:
        return f"{self.alert_id}/{self.number} {self.state}"


class AlertNotice(models.Model):
    """What is told in a channel, once: a change of an alert of `rule`; without a change, that the rule's channels are
    tried out; or, without a rule, that `budget_period` is nearly or wholly spent.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        DEAD = "dead"

    class BudgetLevel(models.TextChoices):
        WARNED = "warned"
        EXCEEDED = "exceeded"

    change = models.ForeignKey(AlertChange, on_delete=models.CASCADE, null=True, blank=True, related_name="notices")
    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, null=True, blank=True, related_name="notices")
    budget_period = models.ForeignKey(
        "costs.BudgetPeriod", on_delete=models.CASCADE, null=True, blank=True, related_name="notices"
    )
    budget_level = models.CharField(max_length=8, choices=BudgetLevel.choices, blank=True, db_default="")
    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="notices")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True, help_text="When it is tried again.")
    error_message = models.CharField(max_length=300, blank=True, default="")
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(state="waiting"), name="alert_notice_due"),
            models.Index(fields=["-id"], condition=models.Q(state="dead"), name="alert_notice_dead"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["change", "channel"], condition=models.Q(change__isnull=False), name="alert_notice_once"
            ),
            models.CheckConstraint(
                condition=models.Q(rule__isnull=False, budget_period__isnull=True, budget_level="")
                | models.Q(rule__isnull=True, change__isnull=True, budget_period__isnull=False),
                name="alert_notice_of_a_rule_or_a_budget",
            ),
        ]

    def __str__(self) -> str:
        return f"notice {self.pk}: {self.state}"
