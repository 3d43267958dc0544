from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.agents.forms import PromptField
from apps.agents.models import Agent
from apps.sessions.choosing import PICKS_TARGETS, target_value, targets_of
from apps.sessions.models import Invocation
from apps.sessions.repeating import Target

HERE, FRESH, ELSEWHERE = "here", "fresh", "elsewhere"


class AgainForm(forms.Form):
    """Where a prompt is sent once more, and what in its place. `target` is an agent's key and an endpoint's name.

    `request_key` marks the form as it was shown: sent twice, it is one run.
    """

    where = forms.ChoiceField(choices=[(HERE, HERE), (FRESH, FRESH), (ELSEWHERE, ELSEWHERE)])
    prompt = PromptField(
        required=False, widget=forms.Textarea(attrs={"rows": 4, "dir": "auto", "data-enter-sends": ""})
    )
    target = forms.ChoiceField(label=gettext_lazy("Agent and endpoint"), required=False)
    has_earlier = forms.BooleanField(required=False)
    request_key = forms.CharField(required=False, max_length=64)

    def __init__(self, *args: Any, run: Invocation, agents: list[Agent], has_prompt: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._run, self._agents, self._has_prompt = run, {agent.pk: agent for agent in agents}, has_prompt
        own = target_value(run.session.agent_id, run.session.qualifier)
        self.fields["target"] = forms.ChoiceField(
            label=gettext_lazy("Agent and endpoint"),
            required=False,
            choices=[(agent.name, targets_of(agent)) for agent in agents],
            widget=forms.Select(attrs=PICKS_TARGETS),
        )
        self.initial.update(prompt=run.prompt, target=own)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        is_edited = cleaned.get("where") == ELSEWHERE and self._has_prompt
        if is_edited and "prompt" not in self.errors and not cleaned.get("prompt", "").strip():
            self.add_error("prompt", _("Type a prompt."))
        return cleaned

    @property
    def fresh_key(self) -> str:
        """The key of a form as it is shown now: of each another one."""
        return str(uuid.uuid4())

    @property
    def edited(self) -> str | None:
        """What is sent in the place of the prompt, or None where that is what it was and nothing goes before it."""
        cleaned = self.cleaned_data
        is_other = cleaned["prompt"] != self._run.prompt or cleaned["has_earlier"]
        is_edited = cleaned["where"] == ELSEWHERE and self._has_prompt and is_other
        return cleaned["prompt"] if is_edited else None

    @property
    def wanted(self) -> Target:
        """Where it is sent, unless that is its own session."""
        key, _colon, qualifier = (self.cleaned_data["target"] or "").partition(":")
        if self.cleaned_data["where"] == FRESH or not key:
            return Target(is_fresh=True)
        return Target(self._agents[int(key)], qualifier, is_fresh=True)
