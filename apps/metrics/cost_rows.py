"""Rows of what is added up and sent: costs by the day, and metrics."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class MetricExport(models.Model):
    """Until when metrics were sent to CloudWatch: one row, and what each process had counted of its sockets by then."""

    sent_until = models.DateTimeField()
    socket_counts = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"sent until {self.sent_until:%Y-%m-%d %H:%M}"


class CostDay(models.Model):
    """What the runs that ended on a day (of UTC) have cost, by agent, owner and what asked for them.

    Made of the rows when the day is over; deleting a run afterwards does not give back what it cost.
    """

    day = models.DateField()
    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    source = models.CharField(max_length=12, blank=True, default="")
    run_count = models.PositiveIntegerField()
    unknown_count = models.PositiveIntegerField(help_text="Runs of which nobody knows what they cost.")
    estimate_count = models.PositiveIntegerField(help_text="Runs whose cost is an estimate.")
    cost_micros = models.PositiveBigIntegerField()
    input_tokens = models.PositiveBigIntegerField()
    output_tokens = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["-day"]
        constraints = [models.UniqueConstraint(fields=["day", "agent", "owner", "source"], name="cost_day_once")]

    def __str__(self) -> str:
        return f"{self.day} agent {self.agent_id}"


class CostsSettled(models.Model):
    """Up to which day costs are added up: one row. Days from `since` to `until`, without it, have their rows."""

    since = models.DateField()
    until = models.DateField()

    class Meta:
        verbose_name_plural = "costs settled"

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"
