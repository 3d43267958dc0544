"""The parts that pages are made of, each in every state: what is new can be seen there beside what was there before.

For staff, and for whoever is signed in to a Loom under development. It shows nothing that anybody has stored.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.core.tables.columns import Head
from apps.core.tables.filters import Wanted
from apps.core.tables.page import ListPaginator

LONG = "a_name_that_is_longer_than_any_column_wants_it_to_be"
STATES = ("ready", "running", "pending", "completed", "failed", "stopped")
SENTENCE = "The runtime refused the prompt."
ADVICE = "Wait a minute and send it again; nothing was run and nothing is charged."


class SampleForm(forms.Form):
    """A field of each kind, one of them refused."""

    text = forms.CharField(label="Text", max_length=200, help_text=ADVICE)
    refused = forms.CharField(label="Refused", max_length=200, initial=LONG)
    choice = forms.ChoiceField(label="Choice", choices=[("1", "The first"), ("2", LONG)])
    prompt = forms.CharField(label="Prompt", max_length=2000, widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}))


class SampleFilters(forms.Form):
    """What lists have above their rows, with one choice."""

    q = forms.CharField(label="Search", max_length=200, required=False)
    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "Any state"), *((one, one) for one in STATES)]
    )

    @property
    def offered(self) -> list[forms.BoundField]:
        return [self["state"]]


def _table() -> SimpleNamespace:
    """As a list hands it to `<c-filters>`, `<c-sort>` and `<c-pager>`."""
    heads = {
        "name": Head("Name", "ascending", "?sort=-name"),
        "state": Head("State", "", "?sort=state"),
        "count": Head("Runs", "descending", "?sort=count"),
    }
    names = ["travel_concierge", LONG, "חוזה", "😀 emoji"]
    rows = [
        {"name": name, "state": state, "count": 10**place, "at": "2 min ago"}
        for place, (name, state) in enumerate(zip(names, STATES, strict=False))
    ]
    page = ListPaginator(range(95), 25).page(2)
    return SimpleNamespace(
        heads=heads, rows=rows, form=SampleFilters(), wanted=Wanted("", "name", {}), own_sort="", page=page
    )


def _tiles() -> list[dict[str, Any]]:
    plain = {"label": "Invocations", "value": "1,204", "unit": "", "meta": "12 unfinished", "hint": "", "href": ""}
    figure = {"label": "TTFT, cold", "value": "1.42", "unit": "s", "is_emulated": True, "hint": SENTENCE}
    return [plain, plain | figure, plain | {"value": "319 – 579", "unit": "ms", "meta": ADVICE, "href": "#tile"}]


@require_safe
def design(request: HttpRequest) -> HttpResponse:
    """Every component, from left to right or, with ?dir=rtl, from right to left."""
    user = request.user
    if not (settings.DEBUG or (isinstance(user, User) and user.is_staff)):
        raise Http404
    form = SampleForm({"text": "plainly", "choice": "1", "prompt": "מה השעה?"})
    form.fields["refused"].error_messages["required"] = SENTENCE
    context = {
        "direction": "rtl" if request.GET.get("dir") == "rtl" else "ltr",
        "directions": {"ltr": "Left to right", "rtl": "Right to left"},
        "sample": form, "table": _table(), "tiles": _tiles(), "long": LONG, "sentence": SENTENCE, "advice": ADVICE,
        "states": STATES, "badge_tones": ("neutral", "ok", "info", "warn", "bad", "plain"),
        "alert_tones": ("bad", "warn", "info"), "toast_levels": ("info", "success", "warning", "error"),
        "button_kinds": ("", "primary", "danger", "ghost"),
        "arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234",
    }  # fmt: skip
    return render(request, "core/design.html", context)
