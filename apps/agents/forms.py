from __future__ import annotations

from typing import Any

from django import forms

from apps.agents.models import Agent
from apps.aws.arn import DEFAULT_QUALIFIER

ARN_MAX_LENGTH = 400  # the ARN of an endpoint with the longest names, as telemetry repeats them, has some 320


class AgentForm(forms.Form):
    """The ARN of the runtime to register."""

    arn = forms.CharField(
        label="Runtime ARN",
        max_length=ARN_MAX_LENGTH,
        widget=forms.TextInput(
            attrs={
                "placeholder": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
    )


class PromptForm(forms.Form):
    """The first prompt of a new session with an agent."""

    qualifier = forms.ChoiceField(label="Endpoint")
    prompt = forms.CharField(
        label="Prompt",
        strip=False,
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Ask the agent…"}),
    )

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
            label="Endpoint", choices=choices or [(DEFAULT_QUALIFIER, DEFAULT_QUALIFIER)], initial=DEFAULT_QUALIFIER
        )

    def clean_prompt(self) -> str:
        prompt: str = self.cleaned_data["prompt"]
        if not prompt.strip():
            raise forms.ValidationError("Type a prompt.")
        return prompt
