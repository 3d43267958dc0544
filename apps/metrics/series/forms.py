from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from apps.agents.forms import NO_SUCH_ENDPOINT, PromptField
from apps.agents.models import Agent
from apps.metrics.series.services import DEFAULT_COUNT, DEFAULT_MAX_COST_USD, HIGHEST_MAX_COST_USD, MAX_COUNT, Plan

COUNT_RANGE = f"Give a whole number of sessions, from 1 to {MAX_COUNT}."
COST_STEP = Decimal("0.0001")
COST_RANGE = f"Give US dollars above 0, up to {HIGHEST_MAX_COST_USD}, with at most four decimals."


def check_cost(value: Decimal) -> None:
    """Raise ValidationError for what no series may cost; one message, whichever of the limits it breaks."""
    if not 0 < value <= HIGHEST_MAX_COST_USD or value != value.quantize(COST_STEP):
        raise forms.ValidationError(COST_RANGE)


class StartSeriesForm(forms.Form):
    """What a series is to do, for an agent."""

    count = forms.IntegerField(
        label="Sessions",
        min_value=1,
        max_value=MAX_COUNT,
        initial=DEFAULT_COUNT,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), COUNT_RANGE),
    )
    qualifier = forms.ChoiceField(label="Endpoint")
    prompt = PromptField(
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "A short prompt, the same in every session"}),
    )
    has_warm_turn = forms.BooleanField(label="Send it twice, for a warm comparison", required=False, initial=True)
    ends_session = forms.BooleanField(label="End each session", required=False, initial=True)
    is_at_once = forms.BooleanField(label="All at once, to find the warm pool", required=False)
    max_cost_usd = forms.DecimalField(
        label="Highest cost, USD",
        initial=DEFAULT_MAX_COST_USD,
        validators=[check_cost],
        error_messages=dict.fromkeys(("required", "invalid"), COST_RANGE),
        widget=forms.NumberInput(attrs={"min": COST_STEP, "max": HIGHEST_MAX_COST_USD, "step": COST_STEP}),
    )
    request_key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, *args: Any, agent: Agent, **kwargs: Any) -> None:
        # It stands on one page with the form of a session, which has a prompt and an endpoint as well.
        super().__init__(*args, **{"auto_id": "series-%s", **kwargs})
        names = agent.available_qualifiers or ["DEFAULT"]
        self.fields["qualifier"] = forms.ChoiceField(
            label="Endpoint",
            choices=[(name, name) for name in names],
            error_messages={"required": "Choose an endpoint.", "invalid_choice": NO_SUCH_ENDPOINT},
        )

    def clean_prompt(self) -> str:
        prompt: str = self.cleaned_data["prompt"]
        if not prompt.strip():
            raise forms.ValidationError("Type a prompt.")
        return prompt

    def plan(self) -> Plan:
        """The plan that a valid form stands for."""
        return Plan(**{name: value for name, value in self.cleaned_data.items() if name != "request_key"})
