"""What is typed into the pages of prompt sets: a new one, a name, and how one is sent."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError
from apps.metrics.models import Plan, PromptSet
from apps.metrics.prompt_sets.reading import MAX_BYTES, Prompt, prompt_of, read_file, read_text, text_of_file
from apps.metrics.prompt_sets.services import NAME_LENGTH
from apps.metrics.series.forms import COST_RANGE, COST_STEP, check_cost
from apps.metrics.series.planning import Order
from apps.metrics.series.plans import MAX_AT_ONCE, MAX_REPEATS, Limits, Target
from apps.metrics.series.services import DEFAULT_MAX_COST_USD, HIGHEST_MAX_COST_USD
from apps.sessions.choosing import PICKS_TARGETS, targets_of

LINES, JSONL, CSV = "lines", "jsonl", "csv"
HIGHEST_SEED = 2**31 - 1


class NameForm(forms.Form):
    """What a set is called."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=NAME_LENGTH, widget=forms.TextInput(attrs={"dir": "auto"})
    )


class NewSetForm(NameForm):
    """A set out of a file or of what is typed. A file that cannot be read comes back as text, to be mended here."""

    shape = forms.ChoiceField(
        label=gettext_lazy("Written as"),
        choices=[
            (LINES, gettext_lazy("a prompt on each line")),
            (CSV, gettext_lazy("CSV, with a head")),
            (JSONL, gettext_lazy("JSONL, an object on each line")),
        ],
        initial=LINES,
    )
    text = forms.CharField(
        label=gettext_lazy("Prompts"),
        required=False,
        strip=False,
        max_length=MAX_BYTES,
        widget=forms.Textarea(attrs={"rows": 8, "dir": "auto", "class": "mono", "spellcheck": "false"}),
    )
    file = forms.FileField(
        label=gettext_lazy("Or a file"),
        required=False,
        help_text=gettext_lazy("CSV or JSONL, up to 2 MB. It goes before what is typed."),
        widget=forms.FileInput(attrs={"accept": ".csv,.jsonl,.ndjson,text/csv,application/jsonl"}),
    )

    def prompts(self) -> list[Prompt]:
        """The prompts of a valid form. Raises InvalidInputError, which names the line."""
        upload = self.cleaned_data["file"]
        if upload is None:
            return _typed(self.cleaned_data["text"], self.cleaned_data["shape"])
        name, content = upload.name or "", upload.read(MAX_BYTES + 1)
        try:
            return read_file(name, content)
        except InvalidInputError:
            self._keep(name, content)
            raise

    def _keep(self, name: str, content: bytes) -> None:
        """Show the text of a file in the field for text: a browser does not send the file again by itself."""
        text = text_of_file(content)
        if text is not None:
            shape = CSV if name.lower().endswith(".csv") else JSONL
            self.data = dict(self.data.items()) | {"text": text, "shape": shape}


def _typed(text: str, shape: str) -> list[Prompt]:
    if shape != LINES:
        return read_text(text, is_csv=shape == CSV)
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(prompt_of({"prompt": line.strip()}))
            except InvalidInputError as error:
                raise InvalidInputError(f"{_('Line')} {number}: {error}") from None
    if not found:
        raise InvalidInputError(_("There is no prompt yet."), advice=_("Type at least one, or choose a file."))
    return found


class ReplayForm(forms.Form):
    """Where a set is sent to, how often, in which order and for how much. A target is an agent's key and an endpoint.

    `request_key` marks the form as it was shown: sent twice, it is one plan.
    """

    first = forms.ChoiceField(label=gettext_lazy("Target"))
    second = forms.ChoiceField(label=gettext_lazy("Compared with"), required=False)
    repeats = forms.IntegerField(label=gettext_lazy("Times each prompt"), min_value=1, max_value=MAX_REPEATS, initial=1)
    order = forms.ChoiceField(
        label=gettext_lazy("Order"),
        choices=[
            (Plan.Order.RANDOM.value, gettext_lazy("random")),
            (Plan.Order.INTERLEAVED.value, gettext_lazy("targets take turns")),
            (Plan.Order.SEQUENTIAL.value, gettext_lazy("one target after the other")),
        ],
        initial=Plan.Order.RANDOM.value,
    )
    seed = forms.IntegerField(
        label=gettext_lazy("Seed of the order"), required=False, min_value=0, max_value=HIGHEST_SEED,
        help_text=gettext_lazy("Empty: one is chosen, and kept."),
    )  # fmt: skip
    at_once = forms.IntegerField(label=gettext_lazy("At once"), min_value=1, max_value=MAX_AT_ONCE, initial=1)
    max_cost_usd = forms.DecimalField(
        label=gettext_lazy("Highest cost, USD"),
        initial=DEFAULT_MAX_COST_USD,
        validators=[check_cost],
        error_messages=dict.fromkeys(("required", "invalid"), COST_RANGE),
        widget=forms.NumberInput(attrs={"min": COST_STEP, "max": HIGHEST_MAX_COST_USD, "step": COST_STEP}),
    )
    request_key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, *args: Any, agents: Sequence[Agent], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agents = {agent.pk: agent for agent in agents}
        groups = [(agent.name, targets_of(agent)) for agent in agents]
        self.fields["first"] = forms.ChoiceField(
            label=gettext_lazy("Target"), choices=[("", _("Choose an agent’s endpoint")), *groups],
            error_messages={"required": _("Choose a target."), "invalid_choice": _("This target is not there.")},
            widget=forms.Select(attrs=PICKS_TARGETS),
        )  # fmt: skip
        self.fields["second"] = forms.ChoiceField(
            label=gettext_lazy("Compared with"), required=False, choices=[("", _("nothing")), *groups],
            error_messages={"invalid_choice": _("This target is not there.")},
            widget=forms.Select(attrs=PICKS_TARGETS),
        )  # fmt: skip
        self.initial.setdefault("request_key", str(uuid.uuid4()))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("first") and cleaned.get("first") == cleaned.get("second"):
            self.add_error("second", _("Choose another one than the target itself."))
        return cleaned

    @property
    def targets(self) -> list[Target]:
        """The targets, as far as they are chosen and there."""
        chosen = [self.cleaned_data.get(name) for name in ("first", "second")]
        return [self._target(value) for value in chosen if value]

    def _target(self, value: str) -> Target:
        key, _colon, qualifier = value.partition(":")
        return Target(self.agents[int(key)], qualifier)

    @property
    def limits(self) -> Limits:
        """The limits, with what is meant where something invalid was typed."""
        valid = self.cleaned_data
        return Limits(
            repeats=valid.get("repeats") or 1,
            order=Order(valid.get("order") or Order.RANDOM.value),
            seed=valid.get("seed"),
            at_once=valid.get("at_once") or 1,
            max_cost_usd=valid.get("max_cost_usd") or Decimal(DEFAULT_MAX_COST_USD),
        )


def last_targets(prompt_set: PromptSet) -> dict[str, str]:
    """The targets that the set was sent to last, as the form's initial values."""
    plan = prompt_set.plans.order_by("-pk").first()
    targets = [] if plan is None else list(plan.targets.all()[:2])
    values = [f"{target.agent_id}:{target.qualifier}" for target in targets]
    return dict(zip(("first", "second"), values, strict=False))
