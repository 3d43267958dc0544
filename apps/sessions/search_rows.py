"""The rows of what can be found by its words; read and written as all rows of sessions, from `models`."""

from __future__ import annotations

from django.db import models


class SearchText(models.Model):
    """What is looked for in a run, folded: prompt, answer, tools, error, and its session's title. The worker writes it.

    The database has an index of it: see `apps.core.search`.
    """

    invocation = models.OneToOneField(
        "agent_sessions.Invocation", on_delete=models.CASCADE, primary_key=True, related_name="search_text"
    )
    text = models.TextField()

    def __str__(self) -> str:
        return f"text of {self.invocation_id}"


class SearchDue(models.Model):
    """That the text of a run is to be written anew; the transaction that changes what is in it stores this."""

    invocation = models.OneToOneField(
        "agent_sessions.Invocation", on_delete=models.CASCADE, primary_key=True, related_name="search_due"
    )
    due_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "search dues"

    def __str__(self) -> str:
        return f"due: {self.invocation_id}"


class SearchProgress(models.Model):
    """How far the texts of runs from before the index are written, the newest first; there is one row."""

    below = models.BigIntegerField(help_text="Runs with a key below this one are still to be done; 0 when all are.")
    index_bytes = models.BigIntegerField(null=True, blank=True)
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "search progress"

    def __str__(self) -> str:
        return f"below {self.below}"
