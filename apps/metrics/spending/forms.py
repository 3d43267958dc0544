from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.agents.selectors import agents_visible_to
from apps.costs.models import Budget
from apps.costs.services import HIGHEST_USD
from apps.metrics.alerts.selectors import channels_visible_to
from apps.metrics.models import AlertChannel

LEAST = Decimal("0.000001")
MOST_AGENTS = 500


def _limit_field() -> forms.DecimalField:
    return forms.DecimalField(
        label=_("Limit, US dollars"), min_value=LEAST, max_value=HIGHEST_USD, max_digits=13, decimal_places=6
    )


class ToldForm(forms.Form):
    """What has channels that are told when most and when all of it is spent."""

    def __init__(self, *args: Any, channels: Sequence[AlertChannel], **options: Any) -> None:
        super().__init__(*args, **options)
        self._channels = {str(channel.pk): channel for channel in channels}
        self.fields["channels"] = forms.MultipleChoiceField(
            label=_("Tell at 80 % and when it is spent"), required=False, widget=forms.CheckboxSelectMultiple,
            choices=[(key, channel.name) for key, channel in self._channels.items()],
        )  # fmt: skip

    @property
    def has_channels(self) -> bool:
        return bool(self._channels)

    def told(self) -> list[AlertChannel]:
        return [self._channels[key] for key in self.cleaned_data["channels"]]


class BudgetForm(ToldForm):
    """A new budget; who is not of the staff limits his own runs alone."""

    what = forms.ChoiceField(label=_("For"))
    period = forms.ChoiceField(label=_("In"), choices=Budget.Period.choices, initial=Budget.Period.DAY)
    limit_usd = _limit_field()
    ends_session = forms.BooleanField(
        label=_("End the session of a run that it stops"),
        required=False,
        help_text=_("Its environment is freed, and forgets the conversation."),
    )

    def __init__(self, data: Any = None, *, user: User, initial: Any = None) -> None:
        super().__init__(data, initial=initial, channels=list(channels_visible_to(user)))
        choices: list[Any] = [(f"owner:{user.pk}", _("My own runs"))]
        if user.is_staff:
            agents = agents_visible_to(user).order_by("name").values_list("pk", "name")[:MOST_AGENTS]
            choices.insert(0, ("all:", _("All of Loom")))
            choices.append((_("An agent"), [(f"agent:{pk}", name) for pk, name in agents]))
            people = User.objects.exclude(pk=user.pk).order_by("email").values_list("pk", "email")[:MOST_AGENTS]
            choices.append((_("A person"), [(f"owner:{pk}", email) for pk, email in people]))
        field = self.fields["what"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [choice for choice in choices if choice[1]]

    def values(self) -> dict[str, Any]:
        """What `limit_spending` takes."""
        scope, _colon, key = self.cleaned_data["what"].partition(":")
        return {
            "scope": scope,
            "scope_id": int(key) if key else None,
            "period": self.cleaned_data["period"],
            "limit_usd": self.cleaned_data["limit_usd"],
            "ends_session": self.cleaned_data["ends_session"],
            "channels": self.told(),
        }


class LimitForm(ToldForm):
    """A budget that is changed."""

    name = forms.CharField(label=_("Name"), max_length=120)
    limit_usd = _limit_field()
    ends_session = forms.BooleanField(label=_("End the session of a run that it stops"), required=False)
