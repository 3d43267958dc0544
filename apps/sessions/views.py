"""The page of a conversation, and what its forms do."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.forms import PromptForm
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import LoomError
from apps.sessions import selectors, services
from apps.sessions.forms import InvokeForm
from apps.sessions.models import Session
from apps.sessions.rendering import Turn, render_turn

TURNS_SHOWN = 30


def _turns(session: Session) -> list[Turn]:
    newest = list(session.invocations.select_related("session__agent").order_by("-number")[:TURNS_SHOWN])
    return [render_turn(invocation, selectors.events_after(invocation.pk)) for invocation in reversed(newest)]


def _detail_context(session: Session, form: InvokeForm) -> dict[str, object]:
    turns = _turns(session)
    return {
        "session": session,
        "agent": session.agent,
        "turns": turns,
        "hidden_turns": max(0, session.invocations.count() - len(turns)),
        "prompt_form": form,
        "running": next((turn.invocation for turn in turns if turn.is_running), None),
        "socket_path": f"/ws/sessions/{session.public_id}/",
    }


@login_required
@require_safe
def session_detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The transcript as stored; the socket brings it up to date from there."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    return render(request, "sessions/session_detail.html", _detail_context(session, InvokeForm()))


@login_required
@require_POST
def session_start(request: SignedInRequest, agent_pk: int) -> HttpResponse:
    """Start a session with its first prompt and go to its page, which follows the run from the first event."""
    agents = agents_visible_to(request.user).prefetch_related("endpoints")
    agent = get_object_or_404(agents, pk=agent_pk)
    form = PromptForm(request.POST, agent=agent)
    if not form.is_valid():
        problems = [str(message) for field in form.errors.values() for message in field]
        messages.error(request, " ".join(problems))
        return redirect("agents:detail", agent.pk)
    prompt, qualifier = form.cleaned_data["prompt"], form.cleaned_data["qualifier"]
    try:
        session = services.start_session(agent=agent, owner=request.user, qualifier=qualifier, title=prompt)
        services.invoke(session=session, prompt=prompt)
    except LoomError as error:
        messages.error(request, f"{error} {error.advice}")
        return redirect("agents:detail", agent.pk)
    return redirect(session)


@login_required
@require_POST
def session_invoke(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Send a prompt without the socket; a refusal keeps what was typed."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    form = InvokeForm(request.POST)
    if form.is_valid():
        try:
            services.invoke(session=session, prompt=form.cleaned_data["prompt"])
        except LoomError as error:
            form.add_error("prompt", f"{error} {error.advice}")
        else:
            return redirect(session)
    return render(request, "sessions/session_detail.html", _detail_context(session, form), status=422)


@login_required
@require_POST
def session_stop(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Stop the running invocation, in whichever process it runs."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    invocation = selectors.running_invocation(session)
    if invocation is not None:
        services.request_stop(invocation=invocation)
    return redirect(session)
