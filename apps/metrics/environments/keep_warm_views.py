"""An agent › Keep warm: what pings and other timeouts would save and cost."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.agentcore.selectors import with_runtime
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import InvalidInputError
from apps.metrics.environments.keep_warm import LEAST_RUNS, Plan, Schedule, plan_keep_warm
from apps.metrics.environments.keep_warm_forms import KeepWarmForm
from apps.metrics.figures.pages.wording import LEAST_FOR_MEDIAN


@require_safe
def keep_warm(request: SignedInRequest, pk: int) -> HttpResponse:
    """The form, and what it would make of the agent's own runs; without anything asked, of its present timeouts."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=pk)
    is_asked = any(name in request.GET for name in KeepWarmForm.base_fields)
    form = KeepWarmForm({**KeepWarmForm.defaults(), **request.GET.dict()} if is_asked else KeepWarmForm.defaults())
    schedule = form.schedule() if form.is_valid() else Schedule()
    plan: Plan | None = None
    try:
        plan = plan_keep_warm(agent, schedule, timezone.now())
    except InvalidInputError as error:
        form.add_error(None, error.text())
    context = {"agent": agent, "form": form, "plan": plan, "least": LEAST_RUNS, "least_for_median": LEAST_FOR_MEDIAN}
    return render(request, "metrics/keep_warm.html", context, status=422 if form.errors else 200)
