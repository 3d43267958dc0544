"""Sending the prompt of a run once more: what can be done with it, as a dialog and as a page of its own."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.sessions import selectors
from apps.sessions.choosing import Offered, keys_of_targets, offered_agents
from apps.sessions.models import Invocation
from apps.sessions.pages.again_forms import HERE, AgainForm
from apps.sessions.repeating import Repeat, earlier_runs, own_body, repeat_here, repeat_run, run_edited

REPEATS_SHOWN = 5


def _found(request: SignedInRequest, public_id: UUID, number: int) -> Invocation:
    runs = Invocation.objects.select_related("session__agent__runtime", "repeated_from__session")
    visible = selectors.invocations_visible_to(request.user).values("pk")
    return get_object_or_404(runs, session__public_id=public_id, number=number, pk__in=visible)


def _targets(request: SignedInRequest, run: Invocation) -> Offered:
    """The agents that may be asked, that of the run first; what was chosen is among them."""
    own = run.session.agent_id
    chosen = keys_of_targets([request.POST.get("target", "")])
    offered = offered_agents(request.user, text=request.GET.get("find", ""), keys=[own, *chosen], is_ready=True)
    return replace(offered, agents=sorted(offered.agents, key=lambda agent: agent.pk != own))


def _context(request: SignedInRequest, run: Invocation, form: AgainForm, body: str | None) -> dict[str, object]:
    try:
        earlier, refusal = earlier_runs(run), ""
    except LoomError as error:
        earlier, refusal = [], error.text()
    visible = selectors.invocations_visible_to(request.user)
    origin = run.repeated_from
    return {
        "run": run,
        "session": run.session,
        "origin": origin if origin is not None and origin.session.deleted_at is None else None,
        "form": form,
        "body": body,
        "earlier_count": len(earlier),
        "earlier_refusal": refusal,
        "running": selectors.unfinished_invocation(run.session),
        "repeats": list(visible.filter(repeated_from=run).order_by("pk")[:REPEATS_SHOWN]),
    }


@never_cache  # as below
@require_safe
def turn_menu_fragment(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """What can be done with a turn of a session, for its menu."""
    run = _found(request, public_id, number)
    context = {
        "run": run,
        "session": run.session,
        "body": own_body(run),
        "running": selectors.unfinished_invocation(run.session),
        "key": str(uuid4()),
    }
    return render(request, "sessions/_turn_menu.html", context)


@never_cache  # a page from the browser's own store would carry used keys
@require_http_methods(["GET", "HEAD", "POST"])
def run_again(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """What can be done with a run's prompt once more; a POST does it and goes where the answer comes."""
    run = _found(request, public_id, number)
    if run.content_removed_at is not None:
        messages.info(request, _("What was sent then is not known any more."))
        return redirect(run.session)
    body = own_body(run)
    is_asked = request.method == "POST"
    offered = _targets(request, run)
    form = AgainForm(
        request.POST if is_asked else None, run=run, agents=offered.agents, has_prompt=body is None,
        auto_id="again-%s",
    )  # fmt: skip
    if request.GET.get("focus") == "target":
        form.fields["target"].widget.attrs["autofocus"] = True
    if is_asked and form.is_valid():
        try:
            return _done(request, run, form)
        except LoomError as error:
            form.add_error(None, error.text())
    template = "sessions/run_again.html#again-panel" if request.htmx and not is_asked else "sessions/run_again.html"
    context = {**_context(request, run, form, body), "offered": offered, "find": request.GET.get("find", "")}
    return render(request, template, context, status=422 if is_asked else 200)


def _done(request: SignedInRequest, run: Invocation, form: AgainForm) -> HttpResponse:
    key = form.cleaned_data["request_key"]
    if form.cleaned_data["where"] == HERE:
        if not repeat_here(run=run, request_key=key):
            messages.info(request, _("The prompt waits behind what this session is answering."))
        return redirect(run.session)
    repeated = _repeated(request, run, form, key)
    if repeated.waiting_count:
        told = _("The agent begins without memory. The prompts of before are sent again first, in their order.")
        messages.info(request, told)
    return redirect(repeated.invocation.session)


def _repeated(request: SignedInRequest, run: Invocation, form: AgainForm, key: str) -> Repeat:
    edited = form.edited
    if edited is None:
        return repeat_run(run=run, user=request.user, target=form.wanted, request_key=key)
    has_earlier = form.cleaned_data["has_earlier"]
    return run_edited(
        run=run, user=request.user, prompt=edited, has_earlier=has_earlier, target=form.wanted, request_key=key
    )


@require_safe
def run_place(request: SignedInRequest, pk: int) -> HttpResponse:
    """Lead to a run in its conversation."""
    run = get_object_or_404(selectors.invocations_visible_to(request.user), pk=pk)
    return redirect(f"{run.session.get_absolute_url()}#invocation-{run.pk}")
