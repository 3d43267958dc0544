"""The registry: what AgentCore told is shown, what is Loom's own can be changed."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.agentcore.services import refresh_agent
from apps.agents.models import Agent, Endpoint
from apps.agents.services import archive_agent
from apps.core.admin import LargeTableAdmin, RecordAdmin, service_action


def _registered(agents: QuerySet[Agent]) -> QuerySet[Agent]:
    return agents.filter(removed_at=None)


@admin.register(Agent)
class AgentAdmin(LargeTableAdmin[Agent]):
    """Agents are added by registering their ARN, which does more than a row."""

    EDITABLE = ("payload_template", "read_timeout_ms", "retry_unproven")

    list_display = ["name", "status", "origin", "account_id", "region", "version", "last_invoked_at", "removed_at"]
    list_filter = ["origin", "status", "protocol", ("removed_at", EmptyFieldListFilter)]
    actions = ["refresh", "archive"]
    search_fields = ["name", "arn"]
    deferred_fields = ("description", "failure_reason", "raw_metadata")

    refresh = service_action(
        Agent,
        "Read the selected agents from AWS again",
        lambda agent: refresh_agent(agent=agent),
        among=_registered,
        done="refreshed",
    )
    # Hides them from the registry; history stays, AWS is not touched, registering an ARN brings it back.
    archive = service_action(
        Agent,
        "Archive the selected agents",
        lambda agent: archive_agent(agent=agent),
        among=_registered,
        done="archived",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> list[str]:
        return [field.name for field in Agent._meta.fields if field.name not in self.EDITABLE]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False


@admin.register(Endpoint)
class EndpointAdmin(RecordAdmin[Endpoint]):
    list_display = ["name", "agent", "live_version", "target_version", "status"]
    list_select_related = ["agent"]
    search_fields = ["name", "agent__name"]
