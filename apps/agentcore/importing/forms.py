from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from apps.agentcore.models import AwsAccount
from apps.agents.forms import ARN_MAX_LENGTH
from apps.aws.arn import REGION_PATTERN

EVERYWHERE = "all"
MAX_CHOSEN = 500  # Django reads at most 1,000 fields of a form


class RegionForm(forms.Form):
    """Where to look for runtimes."""

    region = forms.RegexField(
        label="Region",
        regex=f"^{REGION_PATTERN}$",
        max_length=30,
        error_messages={
            "required": "Name an AWS region, such as us-east-1.",
            **dict.fromkeys(("invalid", "max_length"), "This is not an AWS region; write it like us-east-1."),
        },
        widget=forms.TextInput(
            attrs={"list": "import-regions", "autocomplete": "off", "spellcheck": "false", "autofocus": True}
        ),
    )

    account = forms.ChoiceField(label="Account", required=False)

    def __init__(self, *args: Any, accounts: Sequence[AwsAccount] = (), **kwargs: Any) -> None:
        # Its dialog stands on the page of the list, whose filter has a region as well.
        super().__init__(*args, **{"auto_id": "import-%s", **kwargs})
        self._accounts = {str(account.pk): account for account in accounts if account.is_enabled}
        if not self._accounts:
            del self.fields["account"]
            return
        field = self.fields["account"]
        assert isinstance(field, forms.ChoiceField)
        named = [(key, account.label) for key, account in self._accounts.items()]
        field.choices = [("", "Loom's own"), *named, (EVERYWHERE, "All accounts and regions")]
        if self.data.get("account") == EVERYWHERE:
            self.fields["region"].required = False

    @property
    def account_chosen(self) -> AwsAccount | None:
        return self._accounts.get(self.cleaned_data.get("account") or "")

    @property
    def is_everywhere(self) -> bool:
        return self.cleaned_data.get("account") == EVERYWHERE


class ChosenForm(forms.Form):
    """How an import stands: what is still to be registered, and what became of the rest."""

    total = forms.IntegerField(min_value=1, max_value=MAX_CHOSEN, required=False)
    registered = forms.IntegerField(min_value=0, max_value=MAX_CHOSEN, required=False)
    known = forms.IntegerField(min_value=0, max_value=MAX_CHOSEN, required=False)
    refused = forms.IntegerField(min_value=0, max_value=MAX_CHOSEN, required=False)

    def clean(self) -> dict[str, Any]:
        assert isinstance(self.data, QueryDict)
        arns = list(dict.fromkeys(self.data.getlist("arn")))
        if not arns:
            raise forms.ValidationError("Choose at least one runtime.")
        if len(arns) > MAX_CHOSEN:
            raise forms.ValidationError(f"Choose at most {MAX_CHOSEN} runtimes at a time.")
        if any(len(arn) > ARN_MAX_LENGTH for arn in arns):
            raise forms.ValidationError(f"An ARN has at most {ARN_MAX_LENGTH} characters.")
        return {**self.cleaned_data, "arns": arns}
