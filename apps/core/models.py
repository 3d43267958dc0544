from __future__ import annotations

import uuid

from django.db import models


class Process(models.Model):
    """A running process of Loom, known by its heartbeat. A run belongs to the process that streams it."""

    class Kind(models.TextChoices):
        WEB = "web"
        RUNNER = "runner"
        WORKER = "worker"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # What its supervisor calls it, and how often it has started it again; without one nothing and 0.
    name = models.CharField(max_length=20, blank=True, db_default="")
    restart_count = models.PositiveIntegerField(db_default=0)
    # What it had counted at its last beat: see `running.telemetry`.
    telemetry = models.JSONField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-started_at"]
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"


class Notice(models.Model):
    """Says that something about a topic changed: written with the change itself, read by every web process, kept for
    minutes.

    It carries no content. Whoever hears it reads the rows, which are the truth.
    """

    topic = models.CharField(max_length=100)
    kind = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.topic} {self.kind}"


class Tag(models.Model):
    """A word that rows of any noun can be found by; each noun has its own table of which row has which.

    `key` is the name without regard to case, in which databases differ. `apps.core.tags` alone makes them.
    """

    NAME_LENGTH = 40
    KEY_LENGTH = 3 * NAME_LENGTH  # a character has three at most without its case

    name = models.CharField(max_length=NAME_LENGTH)
    key = models.CharField(max_length=KEY_LENGTH, unique=True, editable=False)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name


class LimitCount(models.Model):
    """How often something was tried until `until_at`. `key` is a digest of what: `apps.core.limits` alone knows it."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    count = models.PositiveIntegerField()
    until_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-until_at"]

    def __str__(self) -> str:
        return f"{self.count} until {self.until_at:%H:%M:%S}"
