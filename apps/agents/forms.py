from __future__ import annotations

import uuid
from typing import Any

from django import forms

from apps.agents.models import Agent
from apps.agents.payload import PayloadError, check_payload
from apps.aws.arn import DEFAULT_QUALIFIER, QUALIFIER_PATTERN

ARN_MAX_LENGTH = 400  # the ARN of an endpoint with the longest names, as telemetry repeats them, has some 320
PROMPT_MAX_LENGTH = 100_000
PROMPT_TOO_LONG = f"A prompt has at most {PROMPT_MAX_LENGTH:,} characters; this one has %(show_value)s."
NO_SUCH_ENDPOINT = "The agent has no endpoint %(value)s. Choose one of the list."
REQUEST_KEY_MAX_LENGTH = 64
# For schemas, which say what is checked further inside: that tells more than that a pattern does not match.
QUALIFIER_SCHEMA: dict[str, Any] = {"pattern": QUALIFIER_PATTERN}
ARN_SCHEMA: dict[str, Any] = {"pattern": "arn:aws[a-z0-9-]*:bedrock-agentcore:"}


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
        widget=forms.Textarea(
            attrs={"rows": 3, "placeholder": "Ask the agent…", "dir": "auto", "data-enter-sends": ""}
        ),
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
