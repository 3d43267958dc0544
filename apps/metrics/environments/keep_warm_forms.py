"""What is asked of the planner, by the page and the API alike."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.metrics.environments.keep_warm import DAYS, Schedule

MOST_MINUTES, MOST_IDLE_MINUTES, MOST_KEEP_HOURS = 240, 20_160, 24


class KeepWarmForm(forms.Form):
    """What if: pings, hours and another idle timeout."""

    days = forms.TypedChoiceField(
        label=_("Runs of the last"), choices=[(days, _("%(days)s days") % {"days": days}) for days in DAYS], coerce=int
    )
    ping_minutes = forms.IntegerField(
        label=_("Ping every, minutes"),
        required=False,
        min_value=1,
        max_value=MOST_MINUTES,
        widget=forms.NumberInput(attrs={"placeholder": _("never")}),
    )
    from_hour = forms.IntegerField(label=_("From, hour of UTC"), min_value=0, max_value=23)
    to_hour = forms.IntegerField(label=_("To, hour of UTC"), min_value=1, max_value=24)
    keep_hours = forms.IntegerField(
        label=_("Up to, hours after the last prompt"), min_value=1, max_value=MOST_KEEP_HOURS
    )
    idle_minutes = forms.IntegerField(
        label=_("Idle timeout, minutes"), required=False, min_value=1, max_value=MOST_IDLE_MINUTES,
        widget=forms.NumberInput(attrs={"placeholder": _("as it is now")}),
    )  # fmt: skip

    @staticmethod
    def defaults() -> dict[str, Any]:
        """What an address that asks for nothing means."""
        plain = Schedule()
        return {
            "days": plain.days, "ping_minutes": plain.ping_minutes, "from_hour": plain.from_hour,
            "to_hour": plain.to_hour, "keep_hours": plain.keep_hours, "idle_minutes": plain.idle_minutes,
        }  # fmt: skip

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if found.get("from_hour") is not None and found.get("from_hour") == found.get("to_hour"):
            self.add_error("to_hour", _("The hours end after they begin."))
        return found

    def schedule(self) -> Schedule:
        """What a valid form asks for."""
        return Schedule(**self.cleaned_data)
