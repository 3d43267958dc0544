"""Runtimes: what AgentCore told is shown, what is Loom's own can be changed."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import AdminErrorList, AdminForm
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from apps.accounts.models import User
from apps.agentcore.models import AccountRegion, AwsAccount, Runtime
from apps.agentcore.payload import check_template
from apps.agentcore.selectors import with_runtime
from apps.agentcore.services import refresh_agent, register_agent, save_invocation_settings
from apps.agents.admin import AgentAdmin, PartOfAgent
from apps.agents.forms import ARN_MAX_LENGTH
from apps.agents.models import Agent
from apps.agents.payload import PayloadError
from apps.core.admin import LargeTableAdmin, ModelForm, RecordAdmin, StackedInline, service_action
from apps.core.exceptions import LoomError

admin.site.unregister(Agent)

EDITABLE = ("payload_template", "read_timeout_ms", "retry_unproven", "log_stream")


def keep_settings(runtime: Runtime) -> None:
    """Store what a form has changed of a runtime; one that is added is refused before."""
    save_invocation_settings(agent=runtime.agent, **{name: getattr(runtime, name) for name in EDITABLE})


class ArnForm(ModelForm[Agent]):
    """The one thing that AWS has to be asked about."""

    arn = forms.CharField(
        label="ARN", max_length=ARN_MAX_LENGTH,
        help_text="Of an agent runtime. AWS is asked to describe it; everything else can be changed afterwards.",
        widget=forms.TextInput(attrs={"class": "vLargeTextField", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip

    class Meta:
        model = Agent
        fields = ()


class RuntimeForm(ModelForm[Runtime]):
    """A template is checked here as on its page."""

    def clean_payload_template(self) -> Any:
        try:
            return check_template(self.cleaned_data["payload_template"])
        except PayloadError as error:
            raise forms.ValidationError(str(error)) from error


class RuntimeInline(PartOfAgent, StackedInline[Runtime, Agent]):
    """How Loom sends to an agent, on the agent's own page."""

    model = Runtime
    form = RuntimeForm
    fields = EDITABLE
    can_delete = False
    max_num = 1
    extra = 0


@admin.register(Agent)
class RefreshableAgentAdmin(AgentAdmin):
    """Agents on AgentCore are added and found by their ARN, and read again."""

    actions = ["refresh", *AgentAdmin.actions]
    inlines: ClassVar[tuple[type[Any], ...]] = (RuntimeInline,)
    search_fields = [*AgentAdmin.search_fields, "runtime__arn"]

    refresh = service_action(
        Agent,
        "Read the selected agents from AWS again",
        lambda agent: refresh_agent(agent=agent),
        among=lambda agents: with_runtime(agents).filter(removed_at=None),
        done="refreshed",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("agents.add_agent")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Register by ARN. Django's own view would hold a transaction open for as long as AWS takes to answer."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ArnForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                agent = register_agent(arn=form.cleaned_data["arn"], user=cast(User, request.user))
            except LoomError as error:
                form.add_error("arn", error.text())
            else:
                self.log_addition(request, agent, [{"added": {}}])
                return self.response_add(request, agent)
        context = {
            **self.admin_site.each_context(request),
            "title": "Add agent",
            "adminform": AdminForm(form, [(None, {"fields": ["arn"]})], {}),
            "errors": AdminErrorList(form, []),
            "inline_admin_formsets": [],
            "media": self.media,
            "preserved_filters": self.get_preserved_filters(request),
            "is_popup": False,
            "to_field": None,
            "show_save_and_add_another": True,
            **(extra_context or {}),
        }
        return self.render_change_form(request, context, add=True, form_url=form_url)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for runtime in formset.save(commit=False):
            keep_settings(runtime)


@admin.register(Runtime)
class RuntimeAdmin(LargeTableAdmin[Runtime]):
    """A runtime comes and goes with its agent."""

    form = RuntimeForm
    list_display = ["runtime_id", "agent", "account_id", "region", "protocol", "authorizer_kind", "last_refreshed_at"]
    list_select_related = ["agent"]
    list_filter = ["region", "protocol", "authorizer_kind"]
    search_fields = ["arn", "agent__name"]
    deferred_fields = ("raw_metadata",)

    def get_readonly_fields(self, request: HttpRequest, obj: Runtime | None = None) -> list[str]:
        return [field.name for field in Runtime._meta.fields if field.name not in EDITABLE]

    def save_model(self, request: HttpRequest, obj: Runtime, form: Any, change: bool) -> None:
        keep_settings(obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Runtime | None = None) -> bool:
        return False


@admin.register(AwsAccount)
class AwsAccountAdmin(RecordAdmin[AwsAccount]):
    """Which roles Loom takes on; they are changed on their own page, which asks the account at once."""

    list_display = ["label", "account_id", "role_arn", "is_enabled", "origin", "created_at"]
    list_filter = ["origin", "is_enabled"]
    search_fields = ["label", "account_id", "role_arn"]


@admin.register(AccountRegion)
class AccountRegionAdmin(RecordAdmin[AccountRegion]):
    list_display = ["region", "account", "checked_at", "runtime_count", "error_code"]
    list_select_related = ["account"]
    list_filter = ["region"]
    search_fields = ["account__label", "account__account_id"]
