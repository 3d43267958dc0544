"""The page of a conversation, and what its forms do."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.http import SignedInRequest
from apps.agents.forms import PromptForm
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import LoomError
from apps.sessions import invoking, selectors, services
from apps.sessions.choosing import keys_of_targets, offered_agents
from apps.sessions.forms import InvokeForm
from apps.sessions.models import Invocation, Session
from apps.sessions.typed_ahead import ahead_of
from apps.sessions.viewing.environment_card import EnvironmentCard
from apps.sessions.viewing.rendering import environment_of, raw_text, render_turn
from loom_events.fold import UNREAD, answer_text, unread_count

TURNS_SHOWN = 30


def _turns(session: Session, before: int | None) -> dict[str, object]:
    """The turns of one page: the newest, or the newest of those before a number; and how many are older still."""
    invocations = session.invocations.select_related("session__agent", "repeated_from__session")
    if before is not None:
        invocations = invocations.filter(number__lt=before)
    newest = list(invocations.order_by("-number")[:TURNS_SHOWN])
    events = selectors.events_by_invocation([invocation.pk for invocation in newest])
    turns = [render_turn(invocation, events[invocation.pk], is_whole=False) for invocation in reversed(newest)]
    first = turns[0].invocation.number if turns else 1
    return {"session": session, "turns": turns, "first": first, "earlier": invocations.filter(number__lt=first).count()}


def _before(request: SignedInRequest) -> int | None:
    text = request.GET.get("before", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _detail_context(request: SignedInRequest, session: Session, form: InvokeForm) -> dict[str, object]:
    before = _before(request)
    shown = _turns(session, before)
    return {
        **shown,
        "agent": session.agent,
        "prompt_form": form,
        "running": selectors.unfinished_invocation(session),
        "ahead": ahead_of(session),
        "environment": EnvironmentCard(session, environment_of(session)),
        "is_older": before is not None,
        "socket_path": f"/ws/sessions/{session.public_id}/",
    }


@never_cache  # a page from the browser's own store would carry a used key, and the transcript of then
@require_safe
def session_detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The transcript as stored; the socket brings it up to date from there. `before` shows earlier turns alone."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    return render(request, "sessions/session_detail.html", _detail_context(request, session, InvokeForm()))


@require_safe
def turns_fragment(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The turns before a number, to be put above those that are there; or one turn with all of its long answer."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    whole = request.GET.get("whole", "")
    if whole.isdecimal() and len(whole) < 10:
        runs = session.invocations.select_related("session__agent", "repeated_from__session")
        run = get_object_or_404(runs, number=int(whole))
        turn = render_turn(run, selectors.events_after(run.pk))
        return render(request, "sessions/_turn.html", {"turn": turn, "session": session})
    return render(request, "sessions/session_detail.html#turns", _turns(session, _before(request)))


@require_safe
def answer(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """The answer of an invocation as it was received, so far, as Markdown text; `download` makes it a file."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    invocation = get_object_or_404(Invocation, session=session, number=number)
    # What is said is stored as one text when the run has ended.
    text = answer_text(selectors.events_after(invocation.pk)) if invocation.is_unfinished else invocation.response_text
    response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    if "download" in request.GET:
        response["Content-Disposition"] = f'attachment; filename="{session.agent.name}-{number}.md"'
    return response


@require_safe
def unread(request: SignedInRequest, public_id: UUID, number: int) -> HttpResponse:
    """What of an answer was not understood, value by value: for the page, and without it as a text."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    invocation = get_object_or_404(Invocation, session=session, number=number)
    events = selectors.unread_events(invocation.pk)
    values = [raw_text(event["value"]) for event in events if event["name"] == UNREAD]
    left_out = unread_count(events) - len(values)
    if request.htmx:
        context = {"values": values, "left_out": left_out, "url": request.path}
        return render(request, "sessions/_unread_values.html", context)
    return HttpResponse("\n\n".join(values), content_type="text/plain; charset=utf-8")


@never_cache
@require_safe
def session_new(request: SignedInRequest) -> HttpResponse:
    """Choose an agent and one of its endpoints, and type the first prompt."""
    find = request.GET.get("find", "")
    keys = keys_of_targets([request.GET.get("agent", "")])
    offered = offered_agents(request.user, text=find, keys=keys)
    agents = offered.agents
    agent = next((agent for agent in agents if agent.pk in keys), agents[0] if agents else None)
    form = PromptForm(agent=agent) if agent and agent.is_ready and not agent.is_archived else None
    context = {"offered": offered, "agent": agent, "prompt_form": form, "find": find}
    return render(request, "sessions/session_new.html", context)


@require_POST
def session_start(request: SignedInRequest, agent_pk: int) -> HttpResponse:
    """Start a session with its first prompt and go to its page, which follows the run from the first event."""
    agents = agents_visible_to(request.user).prefetch_related("endpoints")
    agent = get_object_or_404(agents, pk=agent_pk)
    form = PromptForm(request.POST, agent=agent)
    if form.is_valid():
        sent = form.cleaned_data
        key = sent.get("request_key", "")
        prompt, payload = sent["prompt"], sent.get("payload") or None
        try:
            session = services.start_session(
                agent=agent, owner=request.user, qualifier=sent["qualifier"], title=prompt, request_key=key
            )
            invoking.invoke(session=session, prompt=prompt, payload=payload, request_key=key)
        except LoomError as error:
            form.add_error(None, error.text())
        else:
            return redirect(session)
    context = {"offered": offered_agents(request.user, keys=[agent.pk]), "agent": agent, "prompt_form": form}
    return render(request, "sessions/session_new.html", context, status=422)


@require_POST
def session_invoke(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Send a prompt without the socket; a refusal keeps what was typed."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    form = InvokeForm(request.POST)
    if form.is_valid():
        try:
            form.send(session)
        except LoomError as error:
            form.refuse(error)
        else:
            return redirect(session)
    return render(request, "sessions/session_detail.html", _detail_context(request, session, form), status=422)


@require_POST
def session_stop(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Stop the running invocation, in whichever process it runs; where none runs any more, say so."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    invocation = selectors.unfinished_invocation(session)
    was_running = invocation is not None and invoking.stop_invocation(invocation=invocation)
    if request.htmx:
        # The socket brings the end of the run; without one the page is loaded again.
        response = HttpResponse(status=204)
        response["HX-Trigger"] = "loom:stopping" if was_running else "loom:over"
        return response
    if not was_running:
        messages.info(request, "The answer was complete before it could be stopped.")
    return redirect(session)


@require_POST
def session_end(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Ask AgentCore to end the session's environment; blocks until AWS has answered."""
    session = get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)
    try:
        services.end_session(session=session)
    except LoomError as error:
        messages.error(request, f"The session was not ended. {error.text()}")
    else:
        messages.success(request, "AWS accepted the end of this session.")
    return redirect(session)
