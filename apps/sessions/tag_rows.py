"""Which session and which run has which tag; read and written as all rows of sessions, from `models`."""

from __future__ import annotations

from django.db import models


class SessionTag(models.Model):
    """That a session has a tag; the oldest is its first."""

    session = models.ForeignKey("agent_sessions.Session", on_delete=models.CASCADE)
    tag = models.ForeignKey("core.Tag", on_delete=models.CASCADE)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "tag"], name="tag_unique_per_session")]

    def __str__(self) -> str:
        return f"{self.session_id} {self.tag_id}"


class InvocationTag(models.Model):
    """That a run has a tag of its own; the oldest is its first. What its session has, it has as well."""

    invocation = models.ForeignKey("agent_sessions.Invocation", on_delete=models.CASCADE)
    tag = models.ForeignKey("core.Tag", on_delete=models.CASCADE)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["invocation", "tag"], name="tag_unique_per_invocation")]

    def __str__(self) -> str:
        return f"{self.invocation_id} {self.tag_id}"
