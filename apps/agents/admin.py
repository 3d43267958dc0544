"""The registry as any agent has it; what only a kind has, its own app adds."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.http import HttpRequest

from apps.agents.models import Agent, AgentTag, Endpoint, FormerColumns
from apps.agents.services import archive_agent
from apps.core.admin import LargeTableAdmin, RecordAdmin, service_action


@admin.register(Agent)
class AgentAdmin(LargeTableAdmin[Agent]):
    """Agents are read here: to register one does more than add a row."""

    list_display = ["name", "kind", "status", "origin", "version", "last_invoked_at", "removed_at"]
    list_filter = ["kind", "origin", "status", ("removed_at", EmptyFieldListFilter)]
    actions = ["archive"]
    search_fields = ["name"]
    deferred_fields = ("description", "failure_reason")
    exclude = tuple(field.name for field in FormerColumns._meta.get_fields())

    # Hides them from the registry; history stays, AWS is not touched, registering an ARN brings it back.
    archive = service_action(
        Agent,
        "Archive the selected agents",
        lambda agent: archive_agent(agent=agent),
        among=lambda agents: agents.filter(removed_at=None),
        done="archived",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> list[str]:
        return [field.name for field in Agent._meta.fields if field.name not in self.exclude]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False


@admin.register(Endpoint)
class EndpointAdmin(RecordAdmin[Endpoint]):
    list_display = ["name", "agent", "live_version", "target_version", "status"]
    list_select_related = ["agent"]
    search_fields = ["name", "agent__name"]


@admin.register(AgentTag)
class AgentTagAdmin(RecordAdmin[AgentTag]):
    list_display = ["agent", "tag"]
    list_select_related = ["agent", "tag"]
    search_fields = ["tag__name"]
