from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.agents.forms import REQUEST_KEY_MAX_LENGTH, PromptField
from apps.agents.models import Agent
from apps.metrics.series.forms import COST_RANGE, COST_STEP, check_cost
from apps.metrics.series.plans import MAX_TARGETS, Target
from apps.metrics.series.services import DEFAULT_MAX_COST_USD, HIGHEST_MAX_COST_USD
from apps.sessions.choosing import PICKS_TARGETS, targets_of

LEAST_TARGETS = 2
NAMES = [f"target_{number}" for number in range(1, MAX_TARGETS + 1)]


class CompareForm(forms.Form):
    """One prompt and two to four targets. `request_key` marks the form as it was shown: sent twice, it is one plan."""

    prompt = PromptField(widget=forms.Textarea(attrs={"rows": 4, "dir": "auto", "data-enter-sends": ""}))
    max_cost_usd = forms.DecimalField(
        label=gettext_lazy("Highest cost, USD"),
        initial=DEFAULT_MAX_COST_USD,
        validators=[check_cost],
        error_messages=dict.fromkeys(("required", "invalid"), COST_RANGE),
        widget=forms.NumberInput(attrs={"min": COST_STEP, "max": HIGHEST_MAX_COST_USD, "step": COST_STEP}),
    )
    request_key = forms.CharField(required=False, max_length=REQUEST_KEY_MAX_LENGTH, widget=forms.HiddenInput)

    def __init__(self, *args: Any, agents: Sequence[Agent], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agents_by_key = {agent.pk: agent for agent in agents}
        choices: list[Any] = [(agent.name, targets_of(agent)) for agent in agents]
        for number, name in enumerate(NAMES, 1):
            is_needed = number <= LEAST_TARGETS
            self.fields[name] = forms.ChoiceField(
                label=_("Target %(number)s") % {"number": number},
                required=is_needed,
                choices=[("", _("Choose an agent and endpoint") if is_needed else _("None")), *choices],
                widget=forms.Select(attrs=PICKS_TARGETS),
                error_messages={
                    "required": _("Choose at least two targets."),
                    "invalid_choice": _("This agent or endpoint cannot be chosen any more. Choose another one."),
                },
            )
        self.initial.setdefault("request_key", str(uuid.uuid4()))

    @property
    def target_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in NAMES]

    @property
    def target_count(self) -> int:
        """How many targets there are to choose from."""
        return sum(len(targets_of(agent)) for agent in self.agents_by_key.values())

    def clean_prompt(self) -> str:
        prompt: str = self.cleaned_data["prompt"]
        if not prompt.strip():
            raise forms.ValidationError(_("Type a prompt."))
        return prompt

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        seen: set[str] = set()
        for name in NAMES:
            if (key := cleaned.get(name)) and key in seen:
                self.add_error(name, _("This target is chosen already. Choose another one."))
            seen.add(key or "")
        return cleaned

    @property
    def targets(self) -> list[Target]:
        """Those that are chosen, as far as they are valid."""
        keys = [self.cleaned_data[name] for name in NAMES if self.cleaned_data.get(name)]
        return [self._target(key) for key in dict.fromkeys(keys)]

    def _target(self, key: str) -> Target:
        agent_id, _colon, qualifier = key.partition(":")
        return Target(self.agents_by_key[int(agent_id)], qualifier)


def first_targets(form: CompareForm, wanted: Sequence[str]) -> Mapping[str, str]:
    """The first choices of an empty form: what is wanted, as far as it is there, then others up to two."""
    offered = [key for agent in form.agents_by_key.values() for key, _label in targets_of(agent)]
    chosen = [key for key in dict.fromkeys(wanted) if key in offered][: len(NAMES)]
    others = [key for key in offered if key not in chosen]
    chosen += others[: max(0, LEAST_TARGETS - len(chosen))]
    return dict(zip(NAMES, chosen, strict=False))
