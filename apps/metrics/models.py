from __future__ import annotations

from django.db import models


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
