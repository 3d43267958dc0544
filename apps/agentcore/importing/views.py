"""The import dialog: the account's runtimes that are not registered yet, and registering the chosen ones.

With htmx a few are registered per request, so that the dialog shows how far it is; without it, all at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import trigger_client_event

from apps.accounts.http import SignedInRequest
from apps.agentcore.importing.arn_lists import ArnEntry
from apps.agentcore.importing.bulk import Result, register_many
from apps.agentcore.importing.discovery import find_everywhere, find_runtimes, suggested_regions
from apps.agentcore.importing.forms import MAX_CHOSEN, ChosenForm, RegionForm
from apps.agentcore.selectors import accounts_visible_to
from apps.core.exceptions import LoomError

PAGE = "agentcore/agent_import.html"
CHUNK_SIZE = 20  # less than a second at the pace of AWS's quota


@dataclass(frozen=True, slots=True)
class ImportState:
    """How far an import is. `arns` are still to be registered; `is_cut` says that AWS could not be reached for them."""

    arns: list[str]
    total: int
    registered: int
    known: int
    refused: int
    is_cut: bool

    @property
    def done(self) -> int:
        return self.registered + self.known + self.refused

    @property
    def is_running(self) -> bool:
        return bool(self.arns) and not self.is_cut


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def agent_import(request: SignedInRequest) -> HttpResponse:
    """The unregistered runtimes of a region of an account, or of all accounts, to choose from."""
    form = _form(request, request.GET if "region" in request.GET else {"region": settings.AWS_REGION})
    is_valid = form.is_valid()
    account = form.account_chosen if is_valid else None
    context: dict[str, Any] = {"form": form, "regions": suggested_regions(account), "account": account}
    if is_valid:
        try:
            is_everywhere = form.is_everywhere
            found = find_everywhere() if is_everywhere else find_runtimes(form.cleaned_data["region"], account)
        except LoomError as error:
            context["error"] = error
        else:
            context |= {"found": found, "shown": found.unregistered[:MAX_CHOSEN], "limit": MAX_CHOSEN}
    fragment = "#import-panel" if request.htmx else ""
    return render(request, PAGE + fragment, context, status=200 if is_valid else 422)


@vary_on_headers("HX-Request", "HX-Target")
@require_POST
def agent_import_chosen(request: SignedInRequest) -> HttpResponse:
    """Register the chosen runtimes, or with htmx the next few of them, and tell what became of each."""
    form = ChosenForm(request.POST)
    if not form.is_valid():
        region_form = _form(request, {"region": settings.AWS_REGION})
        context = {"form": region_form, "regions": suggested_regions(None), "refusal": form}
        return render(request, PAGE + ("#import-panel" if request.htmx else ""), context, status=422)
    arns = form.cleaned_data["arns"]
    chunk = arns[:CHUNK_SIZE] if request.htmx else arns
    outcomes = list(register_many([ArnEntry(arn, arn) for arn in chunk], user=request.user))
    counts = Counter(outcome.result for outcome in outcomes)
    state = ImportState(
        arns=arns[len(chunk) :],
        total=form.cleaned_data["total"] or len(arns),
        registered=(form.cleaned_data["registered"] or 0) + counts[Result.REGISTERED],
        known=(form.cleaned_data["known"] or 0) + counts[Result.KNOWN],
        refused=(form.cleaned_data["refused"] or 0) + counts[Result.REFUSED],
        is_cut=any(outcome.is_unreachable for outcome in outcomes) and len(arns) > len(chunk),
    )
    context = {"outcomes": outcomes, "state": state}
    if not request.htmx:
        return render(request, "agentcore/agent_import_report.html", context)
    fragment = "import-next" if request.htmx.target == "import-state" else "import-panel"
    response = render(request, f"agentcore/agent_import_report.html#{fragment}", context)
    return response if state.is_running else trigger_client_event(response, "loom:agents-changed")


def _form(request: SignedInRequest, data: Any) -> RegionForm:
    return RegionForm(data, accounts=list(accounts_visible_to(request.user)))
