"""What happened in a run, as its recorder stores it; read and written as all rows of sessions, from `models`."""

from __future__ import annotations

from django.db import models


class RecordingBatch(models.Model):
    """Some consecutive events of a run, as one 250 ms tick of the recorder wrote them."""

    invocation = models.ForeignKey("agent_sessions.Invocation", on_delete=models.CASCADE, related_name="batches")
    first_sequence = models.PositiveIntegerField()
    last_sequence = models.PositiveIntegerField()
    events = models.JSONField()

    class Meta:
        ordering = ["invocation_id", "first_sequence"]
        verbose_name_plural = "recording batches"
        constraints = [
            models.UniqueConstraint(fields=["invocation", "first_sequence"], name="recording_batch_starts_once")
        ]

    def __str__(self) -> str:
        return f"{self.invocation_id}: {self.first_sequence}–{self.last_sequence}"


class Recording(models.Model):
    """Up to `PART_EVENTS` consecutive events of a finished run, made from its batches; most runs have one.

    In parts, so that whoever has read up to an event finds the next without reading all those before it.
    """

    PART_EVENTS = 1000

    invocation = models.ForeignKey("agent_sessions.Invocation", on_delete=models.CASCADE, related_name="recordings")
    first_sequence = models.PositiveIntegerField(default=1)
    events = models.JSONField()

    class Meta:
        ordering = ["invocation_id", "first_sequence"]
        constraints = [
            models.UniqueConstraint(fields=["invocation", "first_sequence"], name="recording_part_begins_once")
        ]

    def __str__(self) -> str:
        return f"recording of {self.invocation_id} from {self.first_sequence}"
