from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.urls import reverse


def elapsed_ms(start: datetime | None, end: datetime | None) -> float | None:
    """Milliseconds from `start` to `end`, or None while either is unknown."""
    return None if start is None or end is None else (end - start).total_seconds() * 1000


class Session(models.Model):
    """A conversation with an agent: one runtime session, which AgentCore serves from one environment at a time."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, related_name="sessions")
    runtime_session_id = models.CharField(max_length=100)
    is_own_id = models.BooleanField(
        default=True, help_text="Loom made the runtime session id, so nobody else has used it."
    )
    qualifier = models.CharField(max_length=48, default="DEFAULT")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="agent_sessions")
    title = models.CharField(max_length=200, blank=True, default="")
    tags = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()
    last_invoked_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When AWS accepted StopRuntimeSession.")

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["agent", "runtime_session_id"], name="runtime_session_id_unique_per_agent")
        ]
        indexes = [models.Index(fields=["owner", "-created_at"], name="session_of_owner")]

    def __str__(self) -> str:
        return self.title or self.runtime_session_id

    def get_absolute_url(self) -> str:
        return reverse("sessions:detail", args=[self.public_id])

    @property
    def topic(self) -> str:
        """The name under which changes of this session are announced."""
        return f"session.{self.public_id}"


class Invocation(models.Model):
    """One run of an agent in a session: prompt in, recording out."""

    class Status(models.TextChoices):
        PENDING = "pending"
        STREAMING = "streaming"
        COMPLETED = "completed"
        FAILED = "failed"
        STOPPED = "stopped"
        INTERRUPTED = "interrupted"

    RUNNING = (Status.PENDING, Status.STREAMING)
    FINISHED = (Status.COMPLETED, Status.FAILED, Status.STOPPED, Status.INTERRUPTED)

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="invocations")
    number = models.PositiveIntegerField(help_text="Counts from 1 within the session.")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    prompt = models.TextField()
    payload = models.TextField(blank=True, default="", help_text="The body as it was sent.")
    response_text = models.TextField(blank=True, default="")
    requested_at = models.DateTimeField(db_index=True)
    invoked_at = models.DateTimeField(null=True, blank=True)
    headers_at = models.DateTimeField(null=True, blank=True)
    first_chunk_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True, db_index=True)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=255, blank=True, default="")
    request_id = models.CharField(max_length=255, blank=True, default="")
    trace_id = models.CharField(max_length=255, blank=True, default="")
    error_code = models.CharField(max_length=100, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    error_advice = models.TextField(blank=True, default="")
    attempt_count = models.PositiveSmallIntegerField(default=0)
    chunk_count = models.PositiveIntegerField(default=0)
    byte_count = models.PositiveBigIntegerField(default=0)
    input_token_count = models.PositiveIntegerField(null=True, blank=True)
    output_token_count = models.PositiveIntegerField(null=True, blank=True)
    version = models.CharField(max_length=10, blank=True, default="")
    is_version_assumed = models.BooleanField(default=True)
    process = models.ForeignKey("core.Process", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    last_sequence = models.PositiveIntegerField(default=0)
    content_removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["session_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="invocation_number_unique_per_session"),
            models.UniqueConstraint(
                fields=["session"],
                condition=models.Q(status__in=["pending", "streaming"]),
                name="one_running_invocation_per_session",
            ),
        ]
        indexes = [models.Index(fields=["status", "completed_at"], name="invocation_status_end")]

    def __str__(self) -> str:
        return f"{self.session_id}/{self.number} {self.status}"

    @property
    def is_running(self) -> bool:
        return self.status in self.RUNNING

    @property
    def time_to_first_token_ms(self) -> float | None:
        """invoked_at to the first text or tool event; None for a JSON body."""
        return elapsed_ms(self.invoked_at, self.first_token_at)

    @property
    def total_latency_ms(self) -> float | None:
        """invoked_at to the end, however it ended."""
        return elapsed_ms(self.invoked_at, self.completed_at)


class RecordingBatch(models.Model):
    """Some consecutive events of a run, as one 250 ms tick of the recorder wrote them."""

    invocation = models.ForeignKey(Invocation, on_delete=models.CASCADE, related_name="batches")
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
    """All events of a finished run in one row, made from its batches."""

    invocation = models.OneToOneField(Invocation, on_delete=models.CASCADE, related_name="recording")
    events = models.JSONField()

    def __str__(self) -> str:
        return f"recording of {self.invocation_id}"
