"""What is typed to ask for a bench."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.agents.forms import REQUEST_KEY_MAX_LENGTH, PromptField
from apps.agents.models import Agent
from apps.metrics.benches.services import (
    DEFAULT_PAIRS,
    DEFAULT_RUNGS,
    DEFAULT_WARM_UP,
    LEAST_PAIRS,
    MAX_AT_ONCE,
    MAX_PAIRS,
    MAX_RUNGS,
    MAX_WARM_UP,
    BenchAsked,
)
from apps.metrics.models import Bench
from apps.metrics.series.forms import COST_RANGE, COST_STEP, check_cost
from apps.metrics.series.plans import DEFAULT_MINUTES, MAX_MINUTES, Target
from apps.metrics.series.services import DEFAULT_MAX_COST_USD, HIGHEST_MAX_COST_USD
from apps.sessions.choosing import PICKS_TARGETS, targets_of

TARGETS = ("first", "second")
RUNGS_LENGTH = 40


class BenchForm(forms.Form):
    """Two targets, a prompt and the ladder. `request_key` marks the form as it was shown: sent twice, it is one."""

    prompt = PromptField(widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}))
    metric = forms.ChoiceField(
        label=gettext_lazy("Measure"), choices=Bench.Metric.choices, initial=Bench.Metric.TTFT.value
    )
    start = forms.ChoiceField(
        label=gettext_lazy("Start"),
        choices=[
            (Bench.Start.WARM.value, gettext_lazy("warm: sessions are kept")),
            (Bench.Start.COLD.value, gettext_lazy("cold: a new session for each run")),
        ],
        initial=Bench.Start.WARM.value,
    )
    rungs = forms.CharField(
        label=gettext_lazy("Runs at once"),
        initial=", ".join(map(str, DEFAULT_RUNGS)),
        max_length=RUNGS_LENGTH,
        help_text=gettext_lazy("Rung after rung, upwards."),
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    pairs = forms.IntegerField(
        label=gettext_lazy("Pairs a rung, at most"), min_value=LEAST_PAIRS, max_value=MAX_PAIRS, initial=DEFAULT_PAIRS
    )
    warm_up = forms.IntegerField(
        label=gettext_lazy("Warm-up runs"), min_value=0, max_value=MAX_WARM_UP, initial=DEFAULT_WARM_UP,
        help_text=gettext_lazy("Of each target, before each rung."),
    )  # fmt: skip
    stops_early = forms.BooleanField(
        label=gettext_lazy("End a rung once a difference is found"), required=False, initial=True
    )
    max_cost_usd = forms.DecimalField(
        label=gettext_lazy("Highest cost, USD"),
        initial=DEFAULT_MAX_COST_USD,
        validators=[check_cost],
        error_messages=dict.fromkeys(("required", "invalid"), COST_RANGE),
        widget=forms.NumberInput(attrs={"min": COST_STEP, "max": HIGHEST_MAX_COST_USD, "step": COST_STEP}),
    )
    max_minutes = forms.IntegerField(
        label=gettext_lazy("Longest, minutes"), min_value=1, max_value=MAX_MINUTES, initial=DEFAULT_MINUTES
    )
    request_key = forms.CharField(required=False, max_length=REQUEST_KEY_MAX_LENGTH, widget=forms.HiddenInput)

    def __init__(self, *args: Any, agents: Sequence[Agent], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agents = {agent.pk: agent for agent in agents}
        choices: list[Any] = [("", _("Choose an agent’s endpoint"))]
        choices += [(agent.name, targets_of(agent)) for agent in agents]
        for name, label in zip(TARGETS, (_("A"), _("B")), strict=True):
            self.fields[name] = forms.ChoiceField(
                label=label,
                choices=choices,
                error_messages={"required": _("Choose a target."), "invalid_choice": _("This target is not there.")},
                widget=forms.Select(attrs=PICKS_TARGETS),
            )
        self.initial.setdefault("request_key", str(uuid.uuid4()))

    def clean_prompt(self) -> str:
        prompt: str = self.cleaned_data["prompt"]
        if not prompt.strip():
            raise forms.ValidationError(_("Type a prompt."))
        return prompt

    def clean_rungs(self) -> list[int]:
        """Whole numbers that go up, with commas or blanks between."""
        words = str(self.cleaned_data["rungs"]).replace(",", " ").split()
        rungs = [int(word) for word in words if word.isascii() and word.isdecimal()]
        is_ladder = len(rungs) == len(words) and rungs == sorted(set(rungs))
        if not is_ladder or not 1 <= len(rungs) <= MAX_RUNGS or not 1 <= rungs[0] <= rungs[-1] <= MAX_AT_ONCE:
            raise forms.ValidationError(
                _("Give one to %(rungs)s whole numbers that go up, from 1 to %(most)s, such as 1, 2, 5."),
                params={"rungs": MAX_RUNGS, "most": MAX_AT_ONCE},
            )
        return rungs

    def _target(self, name: str) -> Target | None:
        key, _colon, qualifier = str(self.cleaned_data.get(name) or "").partition(":")
        return Target(self.agents[int(key)], qualifier) if key else None

    def asked(self) -> BenchAsked | None:
        """What is asked for, with what is meant where something invalid was typed; None without both targets."""
        first, second = (self._target(name) for name in TARGETS)
        if first is None or second is None:
            return None
        valid = self.cleaned_data
        warm_up, pairs = valid.get("warm_up"), valid.get("pairs")
        return BenchAsked(
            first=first,
            second=second,
            prompt=valid.get("prompt") or "",
            metric=valid.get("metric") or Bench.Metric.TTFT,
            start=valid.get("start") or Bench.Start.WARM,
            rungs=valid.get("rungs") or DEFAULT_RUNGS,
            pairs=DEFAULT_PAIRS if pairs is None else pairs,
            warm_up=DEFAULT_WARM_UP if warm_up is None else warm_up,
            stops_early=bool(valid.get("stops_early")),
            max_cost_usd=valid.get("max_cost_usd") or Decimal(DEFAULT_MAX_COST_USD),
            max_minutes=valid.get("max_minutes") or DEFAULT_MINUTES,
        )
