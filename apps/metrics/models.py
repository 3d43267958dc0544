from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.urls import reverse

from apps.metrics.alert_rows import Alert as Alert
from apps.metrics.alert_rows import AlertChange as AlertChange
from apps.metrics.alert_rows import AlertChannel as AlertChannel
from apps.metrics.alert_rows import AlertNotice as AlertNotice
from apps.metrics.alert_rows import AlertRule as AlertRule
from apps.metrics.alert_rows import AlertRuleChannel as AlertRuleChannel
from apps.metrics.bench_rows import Bench as Bench
from apps.metrics.cost_rows import CostDay as CostDay
from apps.metrics.cost_rows import CostsSettled as CostsSettled
from apps.metrics.cost_rows import MetricExport as MetricExport
from apps.metrics.figure_rows import FigureSum as FigureSum
from apps.metrics.trace_rows import AgentTrace as AgentTrace
from apps.metrics.week_rows import AgentWeek as AgentWeek
from apps.metrics.week_rows import AgentWeeksMade as AgentWeeksMade


class Measurement(models.Model):
    """What CloudWatch told about the start of one invocation, and how sure that is.

    `low_ms` and `high_ms` bound the startup latency by causality alone: an agent cannot start before it was asked (0)
    nor after its first byte was here.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        MEASURED = "measured"
        NOT_FOUND = "not_found"
        FAILED = "failed"

    class StartKind(models.TextChoices):
        CREATED = "created"
        POOLED = "pooled"
        REUSED = "reused"
        UNKNOWN = "unknown"

    invocation = models.OneToOneField("agent_sessions.Invocation", on_delete=models.CASCADE, related_name="measurement")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    start_kind = models.CharField(max_length=10, choices=StartKind.choices, default=StartKind.UNKNOWN)
    start_kind_reason = models.CharField(max_length=200, blank=True, default="")
    log_group = models.CharField(max_length=512)
    log_stream = models.CharField(max_length=512, blank=True, default="")
    agent_started_at = models.DateTimeField(null=True, blank=True)
    marker_rank = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="1 is the strongest, 4 the first line."
    )
    marker = models.CharField(max_length=60, blank=True, default="")
    live_version = models.CharField(  # noqa: DJ001 -- null in rows of the release before
        max_length=10,
        null=True,
        blank=True,
        help_text="Where the endpoint led when the run was sent; a reused environment keeps the version it has.",
    )
    high_ms = models.FloatField(null=True, blank=True)
    low_ms = models.FloatField(default=0)
    log_event_count = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(
        null=True, blank=True, help_text="When to look again; empty when the search is over."
    )
    error_code = models.CharField(max_length=100, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "next_at"], name="measurement_due")]

    def __str__(self) -> str:
        return f"measurement of {self.invocation_id}: {self.state}"

    @property
    def is_provisional(self) -> bool:
        """A start was found, but a stronger marker may still arrive."""
        return self.state == self.State.WAITING and self.agent_started_at is not None

    @property
    def is_cold(self) -> bool | None:
        """True where an environment was made or taken from the pool for this run; None where that is not certain."""
        if self.start_kind == self.StartKind.UNKNOWN:
            return None
        return self.start_kind != self.StartKind.REUSED


class LogGroupSweep(models.Model):
    """Where the reading of one log group stands, and who is reading it now."""

    account_id = models.CharField(max_length=12)
    region = models.CharField(max_length=30)
    log_group = models.CharField(max_length=512)
    lease_until = models.DateTimeField(null=True, blank=True)
    started_from_at = models.DateTimeField(
        null=True, blank=True, help_text="The start of the window that next_token continues."
    )
    next_token = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "region", "log_group"], name="log_group_swept_once")
        ]

    def __str__(self) -> str:
        return self.log_group


class FigurePeriod(models.Model):
    """What the invocations of an hour (UTC) add up to, once nothing in it is running or waited for. A cache: whatever
    changes a measurement in it deletes the row, and the worker makes it again. What is longer is a `FigureSum`.
    """

    class Length(models.IntegerChoices):
        HOUR = 1
        DAY = 24  # stored by the release before only

    origin = models.CharField(max_length=10)
    length = models.PositiveSmallIntegerField(choices=Length.choices, help_text="In hours.")
    start_at = models.DateTimeField(help_text="An invocation belongs to the period by requested_at.")
    invocation_count = models.PositiveIntegerField(
        help_text="All invocations of the period; where it differs from the present number, the row is out of date."
    )
    groups = models.JSONField(help_text="[agent id, qualifier, version, tally] each.")
    totals = models.JSONField(
        default=list,
        help_text="[agent id, tally] each, and with null for the id that of all: what the groups add up to.",
    )
    # The same without the runs of Measure start, and of those alone. Null in a row that a process of the release before
    # has stored: it is made again.
    conversation_groups = models.JSONField(null=True, blank=True)
    conversation_totals = models.JSONField(null=True, blank=True)
    measured_groups = models.JSONField(null=True, blank=True)
    measured_totals = models.JSONField(null=True, blank=True)
    counts = models.JSONField(null=True, blank=True)  # sums alone (`figures.counts`), and those of all agents
    count_totals = models.JSONField(null=True, blank=True)

    class Meta:
        # Names in the database stay: processes of the release before read and write this table.
        db_table = "metrics_figurespan"
        ordering = ["start_at"]
        constraints = [
            models.UniqueConstraint(fields=["origin", "length", "start_at"], name="figures_of_span_stored_once")
        ]

    def __str__(self) -> str:
        return f"{self.origin} {self.start_at:%Y-%m-%d %H:00}, {self.length} h"

    @property
    def end_at(self) -> datetime:
        return self.start_at + timedelta(hours=self.length)


class StartSeries(models.Model):
    """A measurement of an agent's start: new sessions one after the other, each with one prompt, or two for a warm one.
    Or all of them at once, each with one prompt: what finds the size of the warm pool.

    Its runs are queued ones; each that ends lets the next begin. `process` is written by the release before only.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        CANCELLED = "cancelled"
        # Its sessions failed, or it could not go on; interrupted says that Loom itself went away.
        FAILED = "failed"
        INTERRUPTED = "interrupted"

    ACTIVE = (State.QUEUED, State.RUNNING)

    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, related_name="start_series")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="start_series")
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    qualifier = models.CharField(max_length=48, default="DEFAULT")
    prompt = models.TextField()
    count = models.PositiveSmallIntegerField()
    has_warm_turn = models.BooleanField(default=True, help_text="Send the prompt a second time in each session.")
    ends_session = models.BooleanField(default=True, help_text="End each session after its last prompt.")
    is_at_once = models.BooleanField(
        db_default=False, help_text="Begin all sessions at once, which tells how many environments stand ready."
    )
    max_cost_usd = models.DecimalField(max_digits=10, decimal_places=4)
    estimated_cost_usd = models.DecimalField(max_digits=10, decimal_places=4)
    request_key = models.CharField(max_length=64, blank=True, default="")
    process = models.ForeignKey("core.Process", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    not_ended_count = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Sessions whose end AWS did not accept."
    )
    message = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "start series"
        indexes = [models.Index(fields=["state"], name="start_series_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "request_key"], condition=~models.Q(request_key=""), name="start_series_requested_once"
            )
        ]

    def __str__(self) -> str:
        return f"start series {self.pk}: {self.state}"

    def get_absolute_url(self) -> str:
        return reverse("metrics:start-series", args=[self.pk])

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE


class StartSeriesRun(models.Model):
    """An invocation of a series: the first of its session, or the warm one after it."""

    series = models.ForeignKey(StartSeries, on_delete=models.CASCADE, related_name="runs")
    invocation = models.OneToOneField("agent_sessions.Invocation", on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(help_text="Counts the sessions of the series from 1.")
    is_warm = models.BooleanField(default=False)

    class Meta:
        ordering = ["series_id", "position", "is_warm"]
        constraints = [models.UniqueConstraint(fields=["series", "position", "is_warm"], name="start_series_run_once")]

    def __str__(self) -> str:
        return f"{self.series_id}/{self.position}"


class PromptSet(models.Model):
    """Prompts that are sent again and again, each with what is wanted of its answer."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="prompt_sets")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="prompt_set_named_once_by_owner")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("prompt_sets:detail", args=[self.pk])


class PromptSetItem(models.Model):
    """A prompt of a set. Where it was made from a run, that is kept as long as the run is."""

    prompt_set = models.ForeignKey(PromptSet, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveSmallIntegerField()
    prompt = models.TextField()
    checks = models.JSONField(default=list, blank=True)
    made_from = models.ForeignKey(
        "agent_sessions.Invocation", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["prompt_set_id", "position"]
        constraints = [models.UniqueConstraint(fields=["prompt_set", "position"], name="prompt_of_set_once")]

    def __str__(self) -> str:
        return f"{self.prompt_set_id}/{self.position}"


class Plan(models.Model):
    """Runs that were asked for together: targets × prompts × repeats, in an order, within limits.

    Its runs are queued ones; each that ends lets the next begin. What it sends is copied when it is asked for: a set
    that is changed later changes nothing here.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        CANCELLED = "cancelled"
        FAILED = "failed"

    class Order(models.TextChoices):
        SEQUENTIAL = "sequential", "one target after the other"
        INTERLEAVED = "interleaved", "targets take turns"
        RANDOM = "random", "random, by a seed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="plans")
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.SET_NULL, null=True, blank=True, related_name="plans")
    budget = models.ForeignKey("costs.Budget", on_delete=models.RESTRICT, related_name="+")
    name = models.CharField(max_length=120)
    source = models.CharField(
        max_length=12, help_text="What its runs are marked with: prompt_set, side_by_side or bench."
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.RUNNING)
    repeat_count = models.PositiveSmallIntegerField(default=1)
    order = models.CharField(max_length=11, choices=Order.choices, default=Order.INTERLEAVED)
    seed = models.BigIntegerField(default=0)
    at_once = models.PositiveSmallIntegerField(default=1)
    ends_session = models.BooleanField(default=True)
    until_at = models.DateTimeField(help_text="No run begins after it.")
    request_key = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["id"], condition=models.Q(state="running"), name="plan_running")]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "request_key"], condition=~models.Q(request_key=""), name="plan_requested_once"
            )
        ]

    def __str__(self) -> str:
        return f"plan {self.pk}: {self.state}"

    def get_absolute_url(self) -> str:
        return reverse("prompt_sets:results", args=[self.prompt_set_id or 0, self.pk])

    @property
    def is_active(self) -> bool:
        return self.state == self.State.RUNNING


class PlanTarget(models.Model):
    """An endpoint of an agent that every prompt of a plan is sent to."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="targets")
    position = models.PositiveSmallIntegerField()
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, related_name="+")
    qualifier = models.CharField(max_length=48, default="DEFAULT")
    reserved_usd = models.DecimalField(
        max_digits=12, decimal_places=6, help_text="What one of its runs may cost at most, as it was asked for."
    )

    class Meta:
        ordering = ["plan_id", "position"]
        constraints = [models.UniqueConstraint(fields=["plan", "position"], name="plan_target_once")]

    def __str__(self) -> str:
        return f"{self.agent} {self.qualifier}"


class PlanPrompt(models.Model):
    """A prompt of a plan, with its checks, as they were when it was asked for."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="prompts")
    position = models.PositiveSmallIntegerField()
    text = models.TextField()
    checks = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["plan_id", "position"]
        constraints = [models.UniqueConstraint(fields=["plan", "position"], name="plan_prompt_once")]

    def __str__(self) -> str:
        return f"{self.plan_id}/{self.position}"


class PlanRun(models.Model):
    """A run of a plan, at its place in the order, and what its checks found when it was over."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="runs")
    place = models.PositiveIntegerField(help_text="Counts the runs of the plan from 1, in their order.")
    target = models.ForeignKey(PlanTarget, on_delete=models.CASCADE, related_name="runs")
    prompt = models.ForeignKey(PlanPrompt, on_delete=models.CASCADE, related_name="runs")
    repeat = models.PositiveSmallIntegerField()
    invocation = models.OneToOneField("agent_sessions.Invocation", on_delete=models.CASCADE, related_name="plan_run")
    has_passed = models.BooleanField(null=True, blank=True, help_text="Empty until it is over.")
    findings = models.JSONField(default=list, blank=True, help_text="What each check found, in their order.")

    class Meta:
        ordering = ["plan_id", "place"]
        constraints = [models.UniqueConstraint(fields=["plan", "place"], name="plan_run_once")]

    def __str__(self) -> str:
        return f"{self.plan_id}/{self.place}"
