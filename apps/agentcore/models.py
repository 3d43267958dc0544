from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.validators import RegexValidator
from django.db import models

from apps.agentcore.obstacles import Obstacle, find_obstacles
from apps.agentcore.payload import template_in_use
from apps.agents.models import Agent, default_payload_template
from apps.aws.arn import RuntimeArn
from apps.aws.roles import Role


class AwsAccount(models.Model):
    """Another account on AWS, into which Loom's own identity goes by a role."""

    origin = models.CharField(max_length=10, choices=Agent.Origin.choices)
    label = models.CharField(max_length=60)
    account_id = models.CharField(max_length=12, help_text="As the role's ARN says it.")
    role_arn = models.CharField("role ARN", max_length=640)
    external_id = models.CharField(max_length=1224, blank=True)
    is_enabled = models.BooleanField(default=True, help_text="Without it nothing is asked of the account.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "AWS account"
        ordering = ["label", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["origin", "account_id"], name="aws_account_once"),
            models.UniqueConstraint(fields=["origin", "label"], name="aws_account_label_once"),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.account_id})"

    @property
    def role(self) -> Role:
        return Role(self.role_arn, self.external_id)


class AccountRegion(models.Model):
    """A region of an account in which agents are looked for, and how that went when it was tried last."""

    account = models.ForeignKey(AwsAccount, on_delete=models.CASCADE, related_name="regions")
    region = models.CharField(max_length=30)
    checked_at = models.DateTimeField(null=True, blank=True)
    runtime_count = models.PositiveIntegerField(null=True, blank=True, help_text="As AWS listed them.")
    error_code = models.CharField(max_length=100, blank=True)
    error_message = models.CharField(max_length=1000, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["region"]
        constraints = [models.UniqueConstraint(fields=["account", "region"], name="account_region_once")]

    def __str__(self) -> str:
        return self.region


class Runtime(models.Model):
    """What only an agent on AgentCore has: its ARN, what AWS says of it, and how Loom sends to it."""

    class Authorizer(models.TextChoices):
        IAM = "iam", "IAM (SigV4)"
        JWT = "jwt", "JWT (OAuth)"

    agent = models.OneToOneField(Agent, on_delete=models.CASCADE, primary_key=True, related_name="runtime")
    arn = models.CharField("ARN", max_length=255, unique=True)
    runtime_id = models.CharField(max_length=120)
    region = models.CharField(max_length=30)
    account_id = models.CharField(max_length=12)
    aws_account = models.ForeignKey(
        AwsAccount,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="runtimes",
        verbose_name="AWS account",
        help_text="By whose role it is reached; empty for Loom's own identity.",
    )
    log_group = models.CharField(max_length=512)
    raw_metadata = models.JSONField(default=dict)
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
    log_stream = models.CharField(  # noqa: DJ001 -- null in what a process of the release before stores
        max_length=512,
        null=True,
        blank=True,
        validators=[RegexValidator(r"^[^:*]*\Z", "The name of a log stream has no colon and no asterisk.")],
        help_text="The only log stream whose lines are shown; empty for all of the log group.",
    )
    last_refreshed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.runtime_id

    @cached_property
    def parsed_arn(self) -> RuntimeArn:
        return RuntimeArn.parse(self.arn)

    @property
    def template(self) -> Any:
        """What its bodies are made of: the stored template, or that of its protocol while it is as it was at first."""
        return template_in_use(self.payload_template, self.protocol)

    @property
    def network_mode(self) -> str:
        """PUBLIC or VPC, as GetAgentRuntime says; empty where it says nothing."""
        configuration: dict[str, Any] = self.raw_metadata.get("networkConfiguration") or {}
        return str(configuration.get("networkMode", ""))

    @property
    def is_jwt(self) -> bool:
        return self.authorizer_kind == self.Authorizer.JWT

    @property
    def obstacles(self) -> list[Obstacle]:
        """What keeps Loom from invoking the agent, whatever its status."""
        return find_obstacles(is_jwt=self.is_jwt, metadata=self.raw_metadata)
