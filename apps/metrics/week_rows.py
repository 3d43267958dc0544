"""Rows of what each agent's last seven days come to."""

from __future__ import annotations

from django.db import models


class AgentWeek(models.Model):
    """What an agent's runs of today and the six days before (of UTC) come to, as the list of agents is put in order.

    Made of the rows by the worker, again and again; an agent without runs in these days has none. A median is null
    where there are too few runs for one, a cost where nobody knows any.
    """

    agent = models.OneToOneField("agents.Agent", on_delete=models.CASCADE, primary_key=True, related_name="week")
    run_count = models.PositiveIntegerField()
    error_rate = models.FloatField(null=True, blank=True)
    ttft_cold_ms = models.FloatField(null=True, blank=True)
    ttft_warm_ms = models.FloatField(null=True, blank=True)
    startup_ms = models.FloatField(null=True, blank=True, help_text="Of cold starts, from their main source.")
    cost_micros = models.PositiveBigIntegerField(null=True, blank=True)
    details = models.JSONField(help_text="What is shown beside these: n, intervals, days. `weeks.shapes` reads it.")

    class Meta:
        ordering = ["agent_id"]

    def __str__(self) -> str:
        return f"agent {self.agent_id}: {self.run_count} runs"


class AgentWeeksMade(models.Model):
    """When the weeks of all agents were made, and of what: one row."""

    made_at = models.DateTimeField()
    took_ms = models.FloatField()
    seen = models.CharField(max_length=200, help_text="What there was; as long as it is the same, so are the weeks.")

    class Meta:
        verbose_name_plural = "agent weeks made"

    def __str__(self) -> str:
        return f"made {self.made_at:%Y-%m-%d %H:%M}"
