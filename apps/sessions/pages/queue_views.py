"""What waits in a session, below its conversation: seen, changed, moved, taken back, and let go after a stop."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.http import SignedInRequest
from apps.core.exceptions import LoomError
from apps.sessions import selectors, typed_ahead
from apps.sessions.models import QueuedPrompt, Session


class ActionForm(forms.Form):
    """One thing that is done with what waits; `prompt` is the key of one of them."""

    action = forms.ChoiceField(choices=[(name, name) for name in ("send", "clear", "up", "down", "remove")])
    prompt = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


def _session(request: SignedInRequest, public_id: UUID) -> Session:
    return get_object_or_404(selectors.sessions_visible_to(request.user), public_id=public_id)


@require_http_methods(["GET", "HEAD", "POST"])
def queue_fragment(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The list of what waits; a POST changes it. Without a script it is a part of the session's page."""
    session = _session(request, public_id)
    problem = ""
    if request.method == "POST":
        form = ActionForm(request.POST)
        if form.is_valid():
            problem = _do(session, form.cleaned_data["action"], form.cleaned_data["prompt"] or 0)
    if not request.htmx:
        if problem:
            messages.error(request, problem)
        return redirect(session)
    context = {"session": session, "ahead": typed_ahead.ahead_of(session), "problem": problem}
    return render(request, "sessions/_ahead.html", context)


def _do(session: Session, action: str, prompt_id: int) -> str:
    """Do it, and return what was wrong."""
    try:
        if action == "send":
            typed_ahead.send_next(session=session)
        elif action == "clear":
            typed_ahead.remove_prompts(session=session)
        elif action == "remove":
            typed_ahead.remove_prompt(session=session, prompt_id=prompt_id)
        else:
            typed_ahead.shift_prompt(session=session, prompt_id=prompt_id, by=-1 if action == "up" else 1)
    except LoomError as error:
        return error.text()
    return ""


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def queued_prompt(request: SignedInRequest, public_id: UUID, pk: int) -> HttpResponse:
    """A prompt that waits, to be said better before it is sent."""
    session = _session(request, public_id)
    prompt = QueuedPrompt.objects.filter(session=session, pk=pk).first()
    if prompt is None:
        messages.info(request, _("This prompt does not wait any more: it was sent or removed meanwhile."))
        return redirect(session)
    text = prompt.text if prompt.payload is None else prompt.payload
    problem = ""
    if request.method == "POST":
        text = request.POST.get("text", "").replace("\r\n", "\n")
        try:
            typed_ahead.change_prompt(session=session, prompt_id=pk, text=text)
        except LoomError as error:
            problem = error.text()
        else:
            return redirect(session)
    context = {"session": session, "prompt": prompt, "text": text, "problem": problem}
    return render(request, "sessions/queued_prompt.html", context, status=422 if problem else 200)
