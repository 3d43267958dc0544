"""Rows of what long times add up to."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models


class FigureSum(models.Model):
    """What the runs of a quarter of a day or of a day (UTC) add up to: all of them (no agent), or those of one agent.

    A cache like `FigurePeriod`, which has the hours it is made of. Each column has a value for the conversations and
    one for the runs of Measure start, by the keys of `figures.readings.STORED_AS`. Of many runs the values are counted
    in buckets (`figures.buckets`): a page reads a month of a million runs in these rows.
    """

    class Length(models.IntegerChoices):
        QUARTER = 6
        DAY = 24

    origin = models.CharField(max_length=10)
    length = models.PositiveSmallIntegerField(choices=Length.choices, help_text="In hours.")
    start_at = models.DateTimeField(help_text="An invocation belongs to the time by requested_at.")
    agent = models.ForeignKey(
        "agents.Agent", on_delete=models.CASCADE, null=True, blank=True, related_name="+", help_text="None for all."
    )
    invocation_count = models.PositiveIntegerField(help_text="As in a figure period.")
    deleted_count = models.PositiveIntegerField(
        help_text="How many runs of deleted sessions were left out; where it differs, the row is out of date."
    )
    tallies = models.JSONField(help_text="[qualifier, version, tally] each; of all runs one without names.")
    counts = models.JSONField(help_text="[qualifier, version, counts] each, likewise.")
    hours = models.JSONField(help_text="[qualifier, version, [runs, failed] of each hour] each, likewise.")
    agents = models.JSONField(default=dict, help_text="Of all runs: [agent id, tally] each.")
    seen = models.JSONField(default=dict, help_text="Of all runs: [agent id, qualifier, version, runs] each.")

    class Meta:
        ordering = ["start_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["origin", "length", "start_at"], condition=models.Q(agent=None), name="figure_sum_of_all_once"
            ),
            models.UniqueConstraint(fields=["agent", "origin", "length", "start_at"], name="figure_sum_of_agent_once"),
        ]

    def __str__(self) -> str:
        return f"{self.origin} {self.start_at:%Y-%m-%d %H:00}, {self.length} h"

    @property
    def end_at(self) -> datetime:
        return self.start_at + timedelta(hours=self.length)
