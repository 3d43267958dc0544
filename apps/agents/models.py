from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from apps.agents.obstacles import Obstacle, find_obstacles


def default_payload_template() -> dict[str, Any]:
    """The body that most agents expect; `{{prompt}}` stands for what the user typed."""
    return {"prompt": "{{prompt}}"}


class Agent(models.Model):
    """Anything that can be invoked. Its kind says who answers; archiving hides it, its history stays."""

    class Kind(models.TextChoices):
        AGENTCORE = "agentcore", "AgentCore"
        LOCAL = "local", "Made in Loom"
        CODER = "coder", "Coding"
        EXTERNAL = "external"
        WORKFLOW = "workflow"

    class Origin(models.TextChoices):
        EMULATOR = "emulator"
        AWS = "aws", "AWS"
        LOOM = "loom"

    class Authorizer(models.TextChoices):
        IAM = "iam", "IAM (SigV4)"
        JWT = "jwt", "JWT (OAuth)"

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.AGENTCORE, db_default=Kind.AGENTCORE)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="owned_agents"
    )
    arn = models.CharField("ARN", max_length=255, unique=True)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    runtime_id = models.CharField(max_length=120)
    name = models.CharField(max_length=120, db_index=True)
    description = models.TextField(blank=True, default="")
    status = models.CharField(max_length=20)
    failure_reason = models.TextField(blank=True, default="")
    region = models.CharField(max_length=30)
    account_id = models.CharField(max_length=12)
    log_group = models.CharField(max_length=512)
    available_qualifiers = models.JSONField(default=list)
    raw_metadata = models.JSONField(default=dict)
    version = models.CharField(max_length=10, blank=True, default="")
    protocol = models.CharField(max_length=10, default="HTTP")
    idle_timeout_ms = models.PositiveBigIntegerField(default=900_000)
    max_lifetime_ms = models.PositiveBigIntegerField(default=28_800_000)
    platform_version = models.CharField(max_length=10, blank=True, default="")
    authorizer_kind = models.CharField(max_length=10, choices=Authorizer.choices, default=Authorizer.IAM)
    payload_template = models.JSONField(default=default_payload_template)
    read_timeout_ms = models.PositiveIntegerField(default=900_000, help_text="The longest silence between two bytes.")
    retry_unproven = models.BooleanField(
        default=False,
        help_text="Send a prompt again after a 503 or 504 before the first byte, although it may have run.",
    )
    registered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    registered_at = models.DateTimeField()
    last_refreshed_at = models.DateTimeField()
    # Since when it is archived; None while it is registered.
    removed_at = models.DateTimeField(null=True, blank=True)
    # Written by the services of apps.sessions, so that the registry needs nothing above itself.
    last_invoked_at = models.DateTimeField(null=True, blank=True)
    invocation_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["name", "id"]
        indexes = [models.Index(fields=["removed_at", "name"], name="agent_registry")]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        """Two letters for the avatar: of the first two words, or of the only one."""
        words = [word for word in self.name.replace("-", "_").split("_") if word]
        return ("".join(word[0] for word in words[:2]) if len(words) > 1 else self.name[:2]).upper()

    @property
    def is_ready(self) -> bool:
        return self.status == "READY"

    @property
    def is_archived(self) -> bool:
        return self.removed_at is not None

    @property
    def network_mode(self) -> str:
        """PUBLIC or VPC, as GetAgentRuntime says; empty where it says nothing."""
        configuration: dict[str, Any] = self.raw_metadata.get("networkConfiguration") or {}
        return str(configuration.get("networkMode", ""))

    @property
    def obstacles(self) -> list[Obstacle]:
        """What keeps Loom from invoking it, whatever its status."""
        return find_obstacles(is_jwt=self.authorizer_kind == self.Authorizer.JWT, metadata=self.raw_metadata)


class Endpoint(models.Model):
    """A named pointer (the qualifier) from an agent to one of its versions."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="endpoints")
    name = models.CharField(max_length=48)
    live_version = models.CharField(max_length=10, blank=True, default="")
    target_version = models.CharField(max_length=10, blank=True, default="")
    status = models.CharField(max_length=20)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["agent", "name"], name="endpoint_name_unique_per_agent")]

    def __str__(self) -> str:
        return self.name
