from __future__ import annotations

from django.conf import settings
from django.db import models


class Secret(models.Model):
    """A value that is needed and never shown, under a name of its owner's. Others say the name, never the value.

    `apps.vault.services` alone reads and writes `ciphertext`.
    """

    NAME_LENGTH = 80

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=NAME_LENGTH)
    ciphertext = models.TextField(editable=False)
    key_id = models.CharField(max_length=8, editable=False, help_text="Of the key that encrypted it.")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="secret_named_once_by_owner")]

    def __str__(self) -> str:
        return self.name


class SecretUse(models.Model):
    """What a secret was used for, and how often: one row for each purpose, however often it comes."""

    WHAT_LENGTH = 120

    secret = models.ForeignKey(Secret, on_delete=models.CASCADE, related_name="uses")
    what = models.CharField(max_length=WHAT_LENGTH)
    use_count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_at"]
        constraints = [models.UniqueConstraint(fields=["secret", "what"], name="secret_use_counted_once")]

    def __str__(self) -> str:
        return f"{self.secret_id}: {self.what}"
