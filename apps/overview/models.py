from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse


class SavedView(models.Model):
    """A list of runs as its owner wants to find it again: what is asked for, under a name."""

    NAME_LENGTH = 60
    QUERY_LENGTH = 2_000

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=NAME_LENGTH)
    query = models.CharField(max_length=QUERY_LENGTH, blank=True, default="", help_text="As in the page's address.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_unique_per_owner")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('overview:runs')}?{self.query}" if self.query else reverse("overview:runs")


class Rating(models.Model):
    """What somebody thinks of an answer: a thumb, a note, or both. One for each person and run."""

    NOTE_LENGTH = 2_000

    class Thumb(models.TextChoices):
        UP = "up"
        DOWN = "down"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="ratings")
    invocation = models.ForeignKey("agent_sessions.Invocation", on_delete=models.CASCADE, related_name="ratings")
    thumb = models.CharField(max_length=4, choices=Thumb.choices, blank=True, default="")
    note = models.TextField(blank=True, default="", max_length=NOTE_LENGTH)
    rated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["owner", "invocation"], name="run_rated_once_by_each")]

    def __str__(self) -> str:
        return f"{self.owner_id} of {self.invocation_id}: {self.thumb or 'note'}"


class FirstSteps(models.Model):
    """That somebody has put away what a newcomer is shown. What they have done is read from what it left."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="first_steps")
    closed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "first steps"

    def __str__(self) -> str:
        return f"closed {self.closed_at:%Y-%m-%d}"
