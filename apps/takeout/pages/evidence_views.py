"""The page on which evidence is checked."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.takeout.evidence.checking import Verdict, check_evidence
from apps.takeout.forms import EvidenceForm


@require_http_methods(["GET", "HEAD", "POST"])
def evidence(request: SignedInRequest) -> HttpResponse:
    """Drop a file of evidence, and read what it is worth."""
    form = EvidenceForm(request.POST or None, request.FILES or None)
    verdict: Verdict | None = None
    problem: LoomError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            verdict = check_evidence(form.cleaned_data["bundle"].read())
        except LoomError as error:
            problem = error
    is_refused = request.method == "POST" and verdict is None
    context = {"form": form, "verdict": verdict, "problem": problem}
    return render(request, "takeout/evidence.html", context, status=422 if is_refused else 200)
