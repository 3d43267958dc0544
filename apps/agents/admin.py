"""The registry as any agent has it; what only a kind has, its own app adds."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.http import HttpRequest

from apps.agents.models import Agent, AgentTag, Endpoint, FavouriteAgent, FormerColumns
from apps.agents.services import archive_agent, describe_agent, order_endpoints, set_agent_tags
from apps.core.admin import LargeTableAdmin, ModelForm, RecordAdmin, service_action
from apps.core.exceptions import InvalidInputError
from apps.core.tags import normalised


class AgentWordsForm(ModelForm[Agent]):
    """What of an agent is ours: its name, its description and its tags."""

    description = forms.CharField(
        required=False, max_length=4_096, widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 4})
    )
    tag_names = forms.CharField(
        label="Tags", required=False, max_length=1_000, help_text="Separated by commas.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )  # fmt: skip

    endpoint_order = forms.CharField(
        label="Endpoints", required=False, max_length=10_000,
        help_text="In the order in which they are offered, separated by commas. Which there are, AWS says.",
        widget=forms.TextInput(attrs={"class": "vLargeTextField"}),
    )  # fmt: skip

    class Meta:
        model = Agent
        fields = ("name", "description")
        widgets: ClassVar[dict[str, forms.Widget]] = {"name": forms.TextInput(attrs={"class": "vTextField"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None and "tag_names" in self.fields:
            names = AgentTag.objects.filter(agent=self.instance).values_list("tag__name", flat=True)
            self.fields["tag_names"].initial = ", ".join(names)
            self.fields["endpoint_order"].initial = ", ".join(self.instance.available_qualifiers)

    def clean_tag_names(self) -> list[str]:
        try:
            return normalised(self.cleaned_data["tag_names"].split(","))
        except InvalidInputError as error:
            raise forms.ValidationError(error.text()) from error

    def clean_endpoint_order(self) -> list[str]:
        names = list(
            dict.fromkeys(name.strip() for name in self.cleaned_data["endpoint_order"].split(",") if name.strip())
        )
        if unknown := [name for name in names if name not in self.instance.available_qualifiers]:
            raise forms.ValidationError(
                f"No endpoint of this agent: {', '.join(unknown)}. "
                f"It has {', '.join(self.instance.available_qualifiers)}."
            )
        return names


class PartOfAgent:
    """Rows on an agent's page: whoever may change the agent changes them, nobody adds one."""

    def has_add_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return request.user.has_perm("agents.change_agent")

    def has_view_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return request.user.has_perm("agents.view_agent") or request.user.has_perm("agents.change_agent")


@admin.register(Agent)
class AgentAdmin(LargeTableAdmin[Agent]):
    """What is ours can be changed; the rest is read, because a host told it."""

    EDITABLE = ("name", "description")

    form = AgentWordsForm
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

    def get_fields(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        return ["name", "description", "tag_names", "endpoint_order", *self.get_readonly_fields(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> list[str]:
        kept = {*self.exclude, *self.EDITABLE, "available_qualifiers"}  # those are a field of the form
        return [field.name for field in Agent._meta.fields if field.name not in kept]

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        describe_agent(agent=obj, name=obj.name, description=obj.description)
        set_agent_tags(agent=obj, names=form.cleaned_data["tag_names"])
        order_endpoints(agent=obj, names=form.cleaned_data["endpoint_order"])

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


@admin.register(FavouriteAgent)
class FavouriteAgentAdmin(RecordAdmin[FavouriteAgent]):
    list_display = ["owner", "agent"]
    list_select_related = ["owner", "agent"]
    search_fields = ["agent__name"]
