"""What is typed into the pages of alerts: a rule, a channel, and what is done with an alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.agents.models import Agent
from apps.core.templatetags.loom import span
from apps.metrics.alerts.kinds import METRICS, Unit
from apps.metrics.alerts.services import MOST_MIN_N, NAME_LENGTH, RuleData
from apps.metrics.alerts.telling.channels import NAME_LENGTH as CHANNEL_NAME_LENGTH
from apps.metrics.models import AlertChannel, AlertRule

WINDOWS = (300, 900, 3600, 21_600, 86_400, 604_800)
SNOOZES = ((60, gettext_lazy("1 hour")), (480, gettext_lazy("8 hours")), (1440, gettext_lazy("1 day")),
           (10_080, gettext_lazy("7 days")))  # fmt: skip
THRESHOLD, CHANGE = "threshold", "change"
# What is typed for one of the metric's own unit.
_TYPED: dict[Unit, float] = {"ms": 1, "share": 100, "count": 1, "usd": 1}


class RuleForm(forms.Form):
    """A rule. Bounds are typed as people say them: rates and changes in per cent."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=NAME_LENGTH, widget=forms.TextInput(attrs={"dir": "auto"})
    )
    metric = forms.ChoiceField(
        label=gettext_lazy("Metric"), choices=[(metric.key, metric.label) for metric in METRICS.values()]
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=[
            (THRESHOLD, gettext_lazy("its value over a window")),
            (CHANGE, gettext_lazy("each version against the one before")),
        ],
        initial=THRESHOLD,
    )
    agent = forms.ChoiceField(label=gettext_lazy("Agent"), required=False)
    qualifier = forms.CharField(
        label=gettext_lazy("Endpoint"), required=False, max_length=48, help_text=gettext_lazy("Empty: all of them.")
    )
    version = forms.CharField(
        label=gettext_lazy("Version"), required=False, max_length=10, help_text=gettext_lazy("Empty: whichever it is.")
    )
    start = forms.ChoiceField(
        label=gettext_lazy("Starts"),
        required=False,
        choices=[("", gettext_lazy("cold and warm")), ("cold", gettext_lazy("cold")), ("warm", gettext_lazy("warm"))],
    )
    window_s = forms.TypedChoiceField(label=gettext_lazy("Window"), coerce=int, initial=300)
    direction = forms.ChoiceField(
        label=gettext_lazy("Wrong is"),
        choices=[("above", gettext_lazy("above the bound")), ("below", gettext_lazy("below the bound"))],
        initial="above",
    )
    warning = forms.FloatField(
        label=gettext_lazy("Warn at"), required=False, min_value=0,
        help_text=gettext_lazy("Milliseconds; per cent of a rate or a change; a number; US dollars."),
    )  # fmt: skip
    alert = forms.FloatField(label=gettext_lazy("Alert at"), required=False, min_value=0)
    min_n = forms.IntegerField(
        label=gettext_lazy("From so many runs"), min_value=0, max_value=MOST_MIN_N, initial=20,
        help_text=gettext_lazy("With fewer nothing is said. A p90 takes 36 at least."),
    )  # fmt: skip
    no_data = forms.ChoiceField(
        label=gettext_lazy("With fewer runs"),
        choices=[
            ("keep", gettext_lazy("leave alerts as they are")),
            ("ok", gettext_lazy("count it as well")),
            ("alert", gettext_lazy("alert")),
        ],
        initial="keep",
    )
    counts_tests = forms.BooleanField(
        label=gettext_lazy("Count Measure start, prompt sets and comparisons too"), required=False
    )
    is_enabled = forms.BooleanField(label=gettext_lazy("Look at it"), required=False, initial=True)
    channels = forms.MultipleChoiceField(
        label=gettext_lazy("Tell"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self, *args: Any, agents: Sequence[Agent], channels: Sequence[AlertChannel], window_s: int = 300, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._agents = {str(agent.pk): agent for agent in agents}
        self._channels = {str(channel.pk): channel for channel in channels}
        windows = sorted({*WINDOWS, window_s})
        self.fields["window_s"] = forms.TypedChoiceField(
            label=_("Window"), coerce=int, initial=300,
            choices=[(seconds, span(seconds * 1000)) for seconds in windows],
        )  # fmt: skip
        self.fields["agent"] = forms.ChoiceField(
            label=_("Agent"), required=False,
            choices=[("", _("each agent, for itself")), *((key, agent.name) for key, agent in self._agents.items())],
            error_messages={"invalid_choice": _("This agent is not there.")},
        )  # fmt: skip
        self.fields["channels"] = forms.MultipleChoiceField(
            label=_("Tell"), required=False, widget=forms.CheckboxSelectMultiple,
            choices=[(key, channel.name) for key, channel in self._channels.items()],
        )  # fmt: skip

    @property
    def has_channels(self) -> bool:
        return bool(self._channels)

    def data_of(self) -> RuleData:
        """What a valid form says. The services say what of it makes no sense."""
        found = self.cleaned_data
        is_change = found["kind"] == CHANGE
        typed = 100.0 if is_change else _TYPED[METRICS[found["metric"]].unit]
        bounds = {name: None if found[name] is None else found[name] / typed for name in ("warning", "alert")}
        return RuleData(
            name=found["name"], metric=found["metric"], is_change=is_change, agent=self._agents.get(found["agent"]),
            qualifier=found["qualifier"].strip(), version=found["version"].strip(), start=found["start"],
            counts_tests=found["counts_tests"], window_s=found["window_s"], direction=found["direction"],
            min_n=found["min_n"], no_data=found["no_data"], is_enabled=found["is_enabled"],
            channels=[self._channels[key] for key in found["channels"]], **bounds,
        )  # fmt: skip


def typed(rule: AlertRule) -> dict[str, Any]:
    """A rule as its form shows it."""
    factor = 100.0 if rule.is_change else _TYPED[METRICS[rule.metric].unit]
    names = ("name", "metric", "qualifier", "version", "start", "window_s", "direction", "min_n", "no_data",
             "counts_tests", "is_enabled")  # fmt: skip
    bounds = {
        name: None if bound is None else round(bound * factor, 6)
        for name, bound in (("warning", rule.warning), ("alert", rule.alert))
    }
    return (
        {name: getattr(rule, name) for name in names}
        | bounds
        | {
            "kind": CHANGE if rule.is_change else THRESHOLD,
            "agent": str(rule.agent_id or ""),
            "channels": [str(channel.pk) for channel in rule.channels.all()],
        }
    )


class ChannelForm(forms.Form):
    """A place where alerts are told."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=CHANNEL_NAME_LENGTH, widget=forms.TextInput(attrs={"dir": "auto"})
    )
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=AlertChannel.Kind.choices)
    address = forms.CharField(
        label=gettext_lazy("Address"), max_length=2000,
        help_text=gettext_lazy("Mail addresses by commas, or the address of the webhook."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip


class ActForm(forms.Form):
    """What is done with an alert, and why."""

    do = forms.ChoiceField(choices=[("acknowledge", ""), ("snooze", ""), ("resolve", "")])
    minutes = forms.TypedChoiceField(
        label=gettext_lazy("For"), choices=SNOOZES, coerce=int, required=False, empty_value="60"
    )
    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, max_length=300, widget=forms.TextInput(attrs={"dir": "auto"})
    )
