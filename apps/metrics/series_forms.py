from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from apps.agents.models import Agent
from apps.metrics.series_services import DEFAULT_COUNT, DEFAULT_MAX_COST_USD, HIGHEST_MAX_COST_USD, MAX_COUNT, Plan


class StartSeriesForm(forms.Form):
    """What a series is to do, for an agent."""

    count = forms.IntegerField(label="Sessions", min_value=1, max_value=MAX_COUNT, initial=DEFAULT_COUNT)
    qualifier = forms.ChoiceField(label="Endpoint")
    prompt = forms.CharField(
        label="Prompt",
        max_length=100_000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "A short prompt, the same in every session"}),
    )
    has_warm_turn = forms.BooleanField(label="Send it twice, for a warm comparison", required=False, initial=True)
    ends_session = forms.BooleanField(label="End each session", required=False, initial=True)
    max_cost_usd = forms.DecimalField(
        label="Highest cost, USD",
        min_value=Decimal("0.0001"),
        max_value=HIGHEST_MAX_COST_USD,
        max_digits=10,
        decimal_places=4,
        initial=DEFAULT_MAX_COST_USD,
    )
    request_key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, *args: Any, agent: Agent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = agent.available_qualifiers or ["DEFAULT"]
        self.fields["qualifier"] = forms.ChoiceField(label="Endpoint", choices=[(name, name) for name in names])

    def clean_prompt(self) -> str:
        prompt: str = self.cleaned_data["prompt"]
        if not prompt.strip():
            raise forms.ValidationError("Type a prompt.")
        return prompt

    def plan(self) -> Plan:
        """The plan that a valid form stands for."""
        return Plan(**{name: value for name, value in self.cleaned_data.items() if name != "request_key"})
