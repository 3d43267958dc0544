"""How Loom invokes an agent: the payload template with its preview, and the timeouts."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.agentcore import services
from apps.agentcore.pages.forms import InvocationSettingsForm
from apps.agentcore.payload import TEMPLATES, fill, read_template
from apps.agentcore.selectors import with_runtime
from apps.agents.payload import PayloadError
from apps.agents.selectors import agents_visible_to

SAMPLE_SESSION_ID = "01234567-89ab-4cde-8f01-23456789abcd"
PAGE = "agentcore/agent_settings.html"


def _preview(template_text: str, sample: str) -> dict[str, str]:
    """What would be sent for the sample prompt, or why nothing can be."""
    try:
        body = fill(read_template(template_text), sample, SAMPLE_SESSION_ID)
    except PayloadError as error:
        return {"problem": str(error)}
    return {"body": json.dumps(body, indent=2, ensure_ascii=False)}


def _context(agent: Any, form: InvocationSettingsForm, **more: Any) -> dict[str, Any]:
    preview = _preview(str(form["payload_template"].value() or ""), str(form["sample"].value() or ""))
    metadata = json.dumps(agent.runtime.raw_metadata, indent=2, ensure_ascii=False)
    templates = list(TEMPLATES)
    return {"agent": agent, "form": form, "preview": preview, "templates": templates, "metadata": metadata, **more}


@vary_on_headers("HX-Request", "HX-Target")
@require_http_methods(["GET", "HEAD", "POST"])
def agent_settings(request: SignedInRequest, pk: int) -> HttpResponse:
    """Show and change the settings.

    `action` of a POST is save, preview (nothing is kept), reset (the defaults are filled in, not kept), or the name of
    a template, which is filled in.
    """
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    if request.method != "POST":
        return render(request, PAGE, _context(agent, InvocationSettingsForm.of(agent)))
    action = request.POST.get("action", "save")
    if action == "reset":
        return render(request, PAGE, _context(agent, InvocationSettingsForm.with_defaults(agent), is_reset=True))
    if action in TEMPLATES:
        form = InvocationSettingsForm.with_template(action, request.POST.dict())
        return render(request, PAGE, _context(agent, form, filled_in=action))
    form = InvocationSettingsForm(request.POST)
    if request.htmx and request.htmx.target == "payload-preview":
        return render(request, f"{PAGE}#payload-preview", _context(agent, form))
    if not form.is_valid():
        return render(request, PAGE, _context(agent, form), status=422)
    if action == "preview":
        return render(request, PAGE, _context(agent, form))
    services.save_invocation_settings(
        agent=agent,
        payload_template=form.cleaned_data["payload_template"],
        read_timeout_ms=form.cleaned_data["read_timeout_s"] * 1000,
        retry_unproven=form.cleaned_data["retry_unproven"],
        log_stream=form.cleaned_data["log_stream"],
    )
    messages.success(request, f"The settings are saved. The next prompt to {agent.name} is sent with them.")
    return redirect("agents:settings", pk)
