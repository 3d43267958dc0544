"""Rows of latency benches: what a plan up a ladder of concurrency was asked for beside its runs."""

from __future__ import annotations

from django.db import models
from django.urls import reverse


class Bench(models.Model):
    """A plan that sends one prompt to two targets in pairs, rung after rung, until a difference is found at each."""

    class Metric(models.TextChoices):
        TTFT = "ttft", "Time to first token"
        TOTAL = "total", "Total latency"

    class Start(models.TextChoices):
        COLD = "cold", "cold: a new session for each run"
        WARM = "warm", "warm: sessions are kept"

    plan = models.OneToOneField("metrics.Plan", models.CASCADE, primary_key=True, related_name="bench")
    metric = models.CharField(max_length=5, choices=Metric.choices, default=Metric.TTFT)
    start = models.CharField(max_length=4, choices=Start.choices, default=Start.WARM)
    rungs = models.JSONField(help_text="How many runs are out at once, from the first rung to the last.")
    pair_count = models.PositiveSmallIntegerField(help_text="Pairs of runs at each rung, at most.")
    warm_up_count = models.PositiveSmallIntegerField(help_text="Runs of each target before a rung is measured.")
    stops_early = models.BooleanField(default=True, help_text="End a rung at the look that finds a difference.")
    stops = models.JSONField(default=dict, blank=True, help_text="After how many pairs each rung was over.")

    class Meta:
        ordering = ["-plan_id"]

    def __str__(self) -> str:
        return f"bench {self.plan_id}"

    def get_absolute_url(self) -> str:
        return reverse("bench:detail", args=[self.plan_id])
