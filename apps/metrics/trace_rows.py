"""Rows of what agents told of their own work."""

from __future__ import annotations

from django.db import models


class AgentTrace(models.Model):
    """What the agent of one invocation told of its own work: the spans of its trace, as CloudWatch has them.

    `found` with a time to look again: more of them may arrive.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        FOUND = "found"
        NOT_FOUND = "not_found"
        FAILED = "failed"

    invocation = models.OneToOneField("agent_sessions.Invocation", on_delete=models.CASCADE, related_name="agent_trace")
    trace_id = models.CharField(max_length=32, help_text="As OpenTelemetry writes it.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    log_group = models.CharField(max_length=512, blank=True, default="", help_text="Where the spans were found.")
    spans = models.JSONField(default=list, help_text="Names, ids and instants; no attribute that may hold a prompt.")
    damaged_count = models.PositiveIntegerField(default=0, help_text="Lines that name the trace and are no span.")
    left_out_count = models.PositiveIntegerField(default=0, help_text="Spans beyond what is kept of one run.")
    is_cut = models.BooleanField(null=True, blank=True, help_text="The last reading was cut; false where one was once.")
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(
        null=True, blank=True, help_text="When to look again; empty when the search is over."
    )
    error_code = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="agent_trace_due"),
        ]

    def __str__(self) -> str:
        return f"trace of {self.invocation_id}: {self.state}"
