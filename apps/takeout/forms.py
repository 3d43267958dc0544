"""What is typed into the pages of what is taken out and shared."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.takeout.services import DEFAULT_DAYS, MOST_DAYS

CHOICES = (1, DEFAULT_DAYS, 30, MOST_DAYS)


class ShareForm(forms.Form):
    """For how long a link is good."""

    days = forms.TypedChoiceField(
        label=_("Good for"),
        coerce=int,
        choices=[(days, _("1 day") if days == 1 else _("%(days)s days") % {"days": days}) for days in CHOICES],
        initial=DEFAULT_DAYS,
    )


class EvidenceForm(forms.Form):
    """A file of evidence."""

    bundle = forms.FileField(
        label=_("Evidence"),
        help_text=_("The file as it was downloaded. It is read and forgotten: nothing of it is stored."),
        widget=forms.ClearableFileInput(attrs={"accept": ".json,application/json"}),
    )
