"""What is typed about a runtime: its ARN, and how Loom invokes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.agentcore.models import Runtime
from apps.agentcore.payload import TEMPLATES, default_template, read_template
from apps.agents.models import Agent
from apps.agents.payload import PayloadError

SAMPLE_MAX_LENGTH = 2_000
# AgentCore ends a streamed answer after an hour, so that a longer silence cannot be waited for.
LONGEST_READ_TIMEOUT_S = 3600
DEFAULT_READ_TIMEOUT_MS: int = Runtime._meta.get_field("read_timeout_ms").default
READ_TIMEOUT_RANGE = f"Give whole seconds, from 1 to {LONGEST_READ_TIMEOUT_S} (an hour)."


class InvocationSettingsForm(forms.Form):
    """How Loom invokes one agent. `sample` is only for the preview."""

    payload_template = forms.CharField(
        label="Payload template",
        help_text=(
            "JSON. {{prompt}} stands for what is typed; it may be a whole value or a part of one. So may "
            "{{session_id}}, the runtime session id, and {{uuid}}, a new UUID in each place."
        ),
        strip=False,
        error_messages={"required": "Write the JSON to send, with {{prompt}} where the prompt belongs."},
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "class": "mono"}),
    )
    sample = forms.CharField(
        label="Sample prompt",
        required=False,
        strip=False,
        max_length=SAMPLE_MAX_LENGTH,
        error_messages={
            "max_length": f"A sample prompt has at most {SAMPLE_MAX_LENGTH:,} characters; this one has %(show_value)s."
        },
        initial="What is the weather in Ghent?",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    read_timeout_s = forms.IntegerField(
        label="Read timeout, seconds",
        help_text=(
            "The longest silence between two bytes before the run fails. From 1 to 3600 seconds (an hour); the default "
            "is 900 (15 minutes)."
        ),
        min_value=1,
        max_value=LONGEST_READ_TIMEOUT_S,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), READ_TIMEOUT_RANGE),
    )
    retry_unproven = forms.BooleanField(
        label="Send again after a 503 or 504 before the first byte",
        help_text="The prompt may have run already, and would then run twice. Leave it off unless a run is harmless.",
        required=False,
    )

    log_stream = forms.CharField(
        label=_("Log stream"),
        help_text=_(
            "The literal name of the only log stream whose lines are shown, as "
            "BedrockAgentCoreRuntime_ApplicationLogs. Leave it empty for all streams of the log group, which are named "
            "after the day and the session."
        ),
        required=False,
        max_length=512,
        validators=Runtime._meta.get_field("log_stream").validators[:1],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )

    @classmethod
    def of(cls, agent: Agent) -> InvocationSettingsForm:
        """The form with what is kept for the agent."""
        kept = agent.runtime
        initial = _settings(kept.template, kept.read_timeout_ms, kept.retry_unproven)
        return cls(initial={**initial, "log_stream": kept.log_stream or ""})

    @classmethod
    def with_defaults(cls, agent: Agent) -> InvocationSettingsForm:
        """The form with what a newly registered agent of its protocol has."""
        return cls(initial=_settings(default_template(agent.runtime.protocol), DEFAULT_READ_TIMEOUT_MS, False))

    @classmethod
    def with_template(cls, name: str, typed: Mapping[str, Any]) -> InvocationSettingsForm:
        """The form as it was typed, with one of `TEMPLATES` in it."""
        template = json.dumps(TEMPLATES[name], indent=2, ensure_ascii=False)
        return cls(initial={**{key: typed.get(key) for key in cls.base_fields}, "payload_template": template})

    def clean_payload_template(self) -> Any:
        try:
            return read_template(self.cleaned_data["payload_template"])
        except PayloadError as error:
            raise forms.ValidationError(str(error)) from error


def _settings(template: Any, read_timeout_ms: int, retry_unproven: bool) -> dict[str, Any]:
    return {
        "payload_template": json.dumps(template, indent=2, ensure_ascii=False),
        "read_timeout_s": -(-read_timeout_ms // 1000),
        "retry_unproven": retry_unproven,
    }
