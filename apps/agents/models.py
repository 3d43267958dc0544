from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models


def default_payload_template() -> dict[str, Any]:
    """The body that most agents expect; `{{prompt}}` stands for what the user typed."""
    return {"prompt": "{{prompt}}"}


class AgentManager(models.Manager["Agent"]):
    """Agents without their former columns, which nobody reads."""

    def get_queryset(self) -> models.QuerySet[Agent]:
        former = [field.name for field in FormerColumns._meta.get_fields()]
        return super().get_queryset().defer(*former)


class FormerColumns(models.Model):
    """What `agentcore.Runtime` took over, written for processes of the release before and read by none of this one.

    `apps.agentcore.runtime_rows` alone writes them, with the row that they repeat. The next release drops them.
    """

    former_arn = models.CharField(db_column="arn", max_length=255, unique=True, null=True, blank=True)
    former_runtime_id = models.CharField(db_column="runtime_id", max_length=120, blank=True, db_default="")
    former_region = models.CharField(db_column="region", max_length=30, blank=True, db_default="")
    former_account_id = models.CharField(db_column="account_id", max_length=12, blank=True, db_default="")
    former_log_group = models.CharField(db_column="log_group", max_length=512, blank=True, db_default="")
    former_raw_metadata = models.JSONField(db_column="raw_metadata", null=True, blank=True)
    former_protocol = models.CharField(db_column="protocol", max_length=10, blank=True, db_default="")
    former_idle_timeout_ms = models.PositiveBigIntegerField(db_column="idle_timeout_ms", null=True, blank=True)
    former_max_lifetime_ms = models.PositiveBigIntegerField(db_column="max_lifetime_ms", null=True, blank=True)
    former_platform_version = models.CharField(db_column="platform_version", max_length=10, blank=True, db_default="")
    former_authorizer_kind = models.CharField(db_column="authorizer_kind", max_length=10, blank=True, db_default="")
    former_payload_template = models.JSONField(db_column="payload_template", null=True, blank=True)
    former_read_timeout_ms = models.PositiveIntegerField(db_column="read_timeout_ms", null=True, blank=True)
    former_retry_unproven = models.BooleanField(db_column="retry_unproven", null=True, blank=True)
    former_last_refreshed_at = models.DateTimeField(db_column="last_refreshed_at", null=True, blank=True)

    class Meta:
        abstract = True


class Agent(FormerColumns):
    """Anything that can be invoked. Its kind says who answers; archiving hides it, its history stays."""

    class Kind(models.TextChoices):
        AGENTCORE = "agentcore", "AgentCore"
        LOCAL = "local", "Made in Loom"
        CODER = "coder", "Coding"
        EXTERNAL = "external"
        WORKFLOW = "workflow"

    class Origin(models.TextChoices):
        """Where it lives: no figure mixes the emulator's agents with those of AWS."""

        EMULATOR = "emulator"
        AWS = "aws", "AWS"
        LOOM = "loom"

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.AGENTCORE, db_default=Kind.AGENTCORE)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    name = models.CharField(max_length=120, db_index=True)
    description = models.TextField(blank=True, default="")
    status = models.CharField(max_length=20)
    failure_reason = models.TextField(blank=True, default="")
    version = models.CharField(max_length=10, blank=True, default="")
    available_qualifiers = models.JSONField(default=list)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="owned_agents"
    )
    registered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    registered_at = models.DateTimeField()
    # Since when it is archived; None while it is registered.
    removed_at = models.DateTimeField(null=True, blank=True)
    tags = models.ManyToManyField("core.Tag", through="AgentTag", related_name="agents")
    # Written by the services of apps.sessions, so that the registry needs nothing above itself.
    last_invoked_at = models.DateTimeField(null=True, blank=True)
    invocation_count = models.PositiveIntegerField(default=0)

    objects = AgentManager()

    class Meta:
        ordering = ["name", "id"]
        indexes = [models.Index(fields=["removed_at", "name"], name="agent_registry")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="agentcore", former_arn__isnull=False)
                | (~models.Q(kind="agentcore") & models.Q(former_arn__isnull=True)),
                name="agent_of_agentcore_has_arn",
            )
        ]

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


class AgentTag(models.Model):
    """That an agent has a tag; the oldest is its first."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE)
    tag = models.ForeignKey("core.Tag", on_delete=models.CASCADE)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "tag"], name="tag_unique_per_agent")]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.tag_id}"


class FavouriteAgent(models.Model):
    """That somebody has given an agent a star, for themselves alone."""

    MOST = 500

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourite_agents")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="stars")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["owner", "agent"], name="agent_starred_once_by_each")]

    def __str__(self) -> str:
        return f"{self.owner_id} {self.agent_id}"


class Endpoint(models.Model):
    """A named pointer (the qualifier) from an agent to one of its versions."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="endpoints")
    name = models.CharField(max_length=48)
    live_version = models.CharField(max_length=10, blank=True, default="")
    target_version = models.CharField(max_length=10, blank=True, default="")
    status = models.CharField(max_length=20)
    position = models.PositiveSmallIntegerField(db_default=0, help_text="Lower ones are offered first.")

    class Meta:
        ordering = ["position", "name"]
        constraints = [models.UniqueConstraint(fields=["agent", "name"], name="endpoint_name_unique_per_agent")]

    def __str__(self) -> str:
        return self.name
