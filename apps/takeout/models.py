from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class SharedLink(models.Model):
    """Lets whoever has its address read one session, for a while. The address is stored nowhere, only its digest."""

    session = models.ForeignKey("agent_sessions.Session", on_delete=models.CASCADE, related_name="shared_links")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="shared_links")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    shown = models.CharField("begins with", max_length=12, editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_opened_at = models.DateTimeField(null=True, blank=True, help_text="To within a minute.")

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.shown}…"

    @property
    def is_valid(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > timezone.now()
