"""Registering a runtime, reading it from AWS again, bringing it back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from apps.accounts.http import SignedInRequest
from apps.agentcore import services
from apps.agentcore.changes import differences, state_of
from apps.agentcore.selectors import with_runtime
from apps.agents import selectors
from apps.agents.forms import AgentForm
from apps.core.exceptions import LoomError
from apps.core.requests.return_to import return_to


@require_http_methods(["GET", "HEAD", "POST"])
def agent_register(request: SignedInRequest) -> HttpResponse:
    """The ways to an agent on AWS; by its ARN it is registered here. A refusal comes back with what was typed."""
    if request.method != "POST":
        return render(request, "agents/agent_register.html", {"form": AgentForm()})
    form = AgentForm(request.POST)
    if form.is_valid():
        try:
            agent = services.register_agent(arn=form.cleaned_data["arn"], user=request.user)
        except LoomError as error:
            form.add_error("arn", error.text())
        else:
            messages.success(request, f"{agent.name} is registered.")
            target = reverse("agents:detail", args=[agent.pk])
            return HttpResponseClientRedirect(target) if request.htmx else redirect(target)
    messages.error(request, gettext("The agent was not registered. The form says why."))
    if request.htmx:
        return render(request, "agents/_agent_form.html", {"form": form, "is_refused": True}, status=422)
    return render(request, "agents/agent_register.html", {"form": form}, status=422)


@require_POST
def agent_refresh(request: SignedInRequest, pk: int) -> HttpResponse:
    """Read the agent from AWS again, say what changed, and go back to where that was asked."""
    agent = get_object_or_404(with_runtime(selectors.agents_visible_to(request.user)), pk=pk)
    before = state_of(agent)
    try:
        services.refresh_agent(agent=agent)
    except LoomError as error:
        messages.error(request, f"{agent.name} was not refreshed. {error.text()}")
    else:
        changes = "; ".join(differences(before, state_of(agent)))
        messages.success(request, f"{agent.name} was refreshed: {changes or 'nothing changed on AWS'}.")
    return redirect(return_to(request, reverse("agents:detail", args=[pk])))


@require_POST
def agent_revive(request: SignedInRequest, pk: int) -> HttpResponse:
    """Bring an archived agent back, as registering its ARN again does: AWS is asked how it is now."""
    agent = get_object_or_404(with_runtime(selectors.registry_visible_to(request.user)), pk=pk)
    try:
        services.register_agent(arn=agent.runtime.arn, user=request.user)
    except LoomError as error:
        messages.error(request, f"{agent.name} stays archived. {error.text()}")
        return redirect(return_to(request, reverse("agents:detail", args=[pk])))
    messages.success(request, f"{agent.name} is back, with its history.")
    return redirect("agents:detail", pk)
