"""Runtimes: what AgentCore told is shown, what is Loom's own can be changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from apps.agentcore.models import Runtime
from apps.agentcore.payload import check_template
from apps.agentcore.selectors import with_runtime
from apps.agentcore.services import refresh_agent, save_invocation_settings
from apps.agents.admin import AgentAdmin
from apps.agents.models import Agent
from apps.agents.payload import PayloadError
from apps.core.admin import LargeTableAdmin, service_action

admin.site.unregister(Agent)


@admin.register(Agent)
class RefreshableAgentAdmin(AgentAdmin):
    """Agents are found by their ARN, and those on AgentCore can be read again."""

    actions = ["refresh", *AgentAdmin.actions]
    search_fields = [*AgentAdmin.search_fields, "runtime__arn"]

    refresh = service_action(
        Agent,
        "Read the selected agents from AWS again",
        lambda agent: refresh_agent(agent=agent),
        among=lambda agents: with_runtime(agents).filter(removed_at=None),
        done="refreshed",
    )


class RuntimeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A template is checked here as on its page."""

    def clean_payload_template(self) -> Any:
        try:
            return check_template(self.cleaned_data["payload_template"])
        except PayloadError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Runtime)
class RuntimeAdmin(LargeTableAdmin[Runtime]):
    """A runtime comes and goes with its agent."""

    form = RuntimeForm
    EDITABLE = ("payload_template", "read_timeout_ms", "retry_unproven", "log_stream")

    list_display = ["runtime_id", "agent", "account_id", "region", "protocol", "authorizer_kind", "last_refreshed_at"]
    list_select_related = ["agent"]
    list_filter = ["region", "protocol", "authorizer_kind"]
    search_fields = ["arn", "agent__name"]
    deferred_fields = ("raw_metadata",)

    def get_readonly_fields(self, request: HttpRequest, obj: Runtime | None = None) -> list[str]:
        return [field.name for field in Runtime._meta.fields if field.name not in self.EDITABLE]

    def save_model(self, request: HttpRequest, obj: Runtime, form: Any, change: bool) -> None:
        save_invocation_settings(agent=obj.agent, **{name: getattr(obj, name) for name in self.EDITABLE})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Runtime | None = None) -> bool:
        return False
