from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.db.models import QuerySet

from apps.agents import listing
from apps.agents.listing import AgentFilter
from apps.agents.models import Agent
from apps.agents.payload import PayloadError, check_payload
from apps.aws.arn import DEFAULT_QUALIFIER

ARN_MAX_LENGTH = 400  # the ARN of an endpoint with the longest names, as telemetry repeats them, has some 320
PROMPT_MAX_LENGTH = 100_000
PROMPT_TOO_LONG = f"A prompt has at most {PROMPT_MAX_LENGTH:,} characters; this one has %(show_value)s."
NO_SUCH_ENDPOINT = "The agent has no endpoint %(value)s. Choose one of the list."
REQUEST_KEY_MAX_LENGTH = 64


class AgentForm(forms.Form):
    """The ARN of the runtime to register."""

    arn = forms.CharField(
        label="Runtime ARN",
        max_length=ARN_MAX_LENGTH,
        error_messages={
            "required": "Paste the ARN of a runtime.",
            "max_length": f"An ARN has at most {ARN_MAX_LENGTH} characters; this one has %(show_value)s.",
        },
        widget=forms.TextInput(
            attrs={
                "placeholder": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )


class AgentFilterForm(forms.Form):
    """The list's query string. A value that cannot be meant is left out, so that an old link still shows a list."""

    q = forms.CharField(label="Search agents", required=False, max_length=200)
    status = forms.ChoiceField(label="Status", required=False)
    region = forms.ChoiceField(label="Region", required=False)
    account = forms.ChoiceField(label="Account", required=False)
    state = forms.ChoiceField(label="Registered or archived", required=False)
    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in listing.SORTS])

    def __init__(self, data: Any, *, registry: QuerySet[Agent], archived_count: int) -> None:
        cleaned = data.copy()
        if "q" in cleaned:
            cleaned["q"] = cleaned["q"].replace("\0", "")  # PostgreSQL takes no NUL
        super().__init__(cleaned)
        self._choose("status", "Any status", listing.values_of(registry, "status"))
        self._choose("region", "Any region", listing.values_of(registry, listing.REGION))
        self._choose("account", "Any account", listing.values_of(registry, listing.ACCOUNT))
        archived = [(listing.ARCHIVED, f"Archived ({archived_count:,})")]
        self._set_choices("state", [("", "Registered"), *(archived if archived_count else [])])

    def _choose(self, name: str, everything: str, values: list[str]) -> None:
        words = [(value, value.replace("_", " ").capitalize() if name == "status" else value) for value in values]
        self._set_choices(name, [("", everything), *words])

    def _set_choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def useful_fields(self) -> list[forms.BoundField]:
        """The filters that can leave something out: there are two values to choose between."""
        found = []
        for name in ("status", "region", "account", "state"):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField) and isinstance(field.choices, list)
            if len(field.choices) > (1 if name == "state" else 2) or self.data.get(name):
                found.append(self[name])
        return found

    def wanted(self) -> AgentFilter:
        """The filter as far as it is valid."""
        self.full_clean()
        valid = self.cleaned_data
        return AgentFilter(
            text=valid.get("q", ""),
            status=valid.get("status", ""),
            region=valid.get("region", ""),
            account_id=valid.get("account", ""),
            state=valid.get("state", ""),
            sort=valid.get("sort") or listing.DEFAULT_SORT,
        )


class PromptField(forms.CharField):
    """What an agent is asked, as it was typed."""

    def __init__(self, **options: Any) -> None:
        errors = {"required": "Type a prompt.", "max_length": PROMPT_TOO_LONG}
        super().__init__(label="Prompt", strip=False, max_length=PROMPT_MAX_LENGTH, error_messages=errors, **options)


class PromptForm(forms.Form):
    """The first prompt of a new session with an agent, or the whole body in its place.

    `request_key` marks the form as it was shown: sent twice, it starts one session with one run.
    """

    qualifier = forms.ChoiceField(label="Endpoint")
    prompt = PromptField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Ask the agent…"}),
    )
    payload = forms.CharField(
        label="Raw JSON",
        help_text="Sent as it is, instead of the prompt in the agent's template.",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
    )
    request_key = forms.CharField(required=False, max_length=REQUEST_KEY_MAX_LENGTH, widget=forms.HiddenInput)

    def __init__(self, *args: Any, agent: Agent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [
            (
                endpoint.name,
                f"{endpoint.name} → version {endpoint.live_version}" if endpoint.live_version else endpoint.name,
            )
            for endpoint in agent.endpoints.all()
        ]
        self.fields["qualifier"] = forms.ChoiceField(
            label="Endpoint",
            choices=choices or [(DEFAULT_QUALIFIER, DEFAULT_QUALIFIER)],
            initial=DEFAULT_QUALIFIER,
            error_messages={"required": "Choose an endpoint.", "invalid_choice": NO_SUCH_ENDPOINT},
        )
        self.initial.setdefault("request_key", str(uuid.uuid4()))

    def clean_payload(self) -> str:
        payload: str = self.cleaned_data["payload"]
        if not payload.strip():
            return ""
        try:
            return check_payload(payload)
        except PayloadError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        has_payload = bool(cleaned.get("payload")) or "payload" in self.errors
        if not has_payload and "prompt" not in self.errors and not cleaned.get("prompt", "").strip():
            self.add_error("prompt", "Type a prompt.")
        return cleaned
