from __future__ import annotations

import re
import secrets
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.agentcore.accounts.services import EXTERNAL_ID_LENGTH, LABEL_LENGTH, ROLE_ARN_LENGTH
from apps.agentcore.models import AwsAccount

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}
REGIONS_LENGTH = 1000


class AccountForm(forms.Form):
    """An account: the role that leads there, and where agents are looked for. What is wrong, the service says."""

    label = forms.CharField(label=_("Name"), max_length=LABEL_LENGTH, help_text=_("What Loom calls the account."))
    role_arn = forms.CharField(
        label=_("Role ARN"), max_length=ROLE_ARN_LENGTH, widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("The role in that account which Loom takes on."),
    )  # fmt: skip
    external_id = forms.CharField(
        label=_("External id"), max_length=EXTERNAL_ID_LENGTH, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("The role's trust policy asks for it, so that nobody else can have Loom take on the role."),
    )  # fmt: skip
    regions = forms.CharField(
        label=_("Regions"), max_length=REGIONS_LENGTH, widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("Where agents are looked for, with spaces or commas between them."),
    )  # fmt: skip

    def clean_regions(self) -> list[str]:
        return [name for name in re.split(r"[\s,;]+", self.cleaned_data["regions"]) if name]

    @staticmethod
    def of(account: AwsAccount) -> dict[str, Any]:
        """What the form shows at first."""
        regions = " ".join(row.region for row in account.regions.all())
        return {
            "label": account.label,
            "role_arn": account.role_arn,
            "external_id": account.external_id,
            "regions": regions,
        }


def new_external_id() -> str:
    """One that nobody guesses."""
    return f"loom-{secrets.token_hex(12)}"
