"""The fold of a session's page that shows the log of a run beside the conversation, and follows it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import retarget

from apps.accounts.http import SignedInRequest
from apps.agentcore.logs.beside import RunLogForm, following_of, newest_or, read_run_log
from apps.sessions.selectors import sessions_visible_to


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def run_log_fragment(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The opened fold at once; its lines when it asks for them, as CloudWatch may take seconds.

    Asked again with what it shows (`seen`), it is told only when to ask next, unless there is something new. What is
    shown stays where CloudWatch does not answer for once.
    """
    sessions = sessions_visible_to(request.user).filter(agent__runtime__isnull=False)
    session = get_object_or_404(sessions, public_id=public_id)
    wanted = RunLogForm(request.GET).wanted()
    run = newest_or(session, wanted["run"] or None)
    context: dict[str, Any] = {"session": session, "agent": session.agent, "run": run, "wanted": wanted}
    if not (request.htmx and request.htmx.target == f"run-lines-{session.pk}"):
        return render(request, "agentcore/_run_log.html", context)
    log = read_run_log(session, run)
    seen = wanted["seen"]
    is_same = bool(seen) and (seen == log.word or log.has_failed)
    context |= {"log": log, "following": following_of(log, wanted, is_new=not is_same)}
    if is_same:
        return retarget(render(request, "agentcore/_run_log_following.html", context), f"#run-following-{session.pk}")
    # Who looks for a line is led there once: where it is found, or, the first time, to what says that it was not.
    context["is_jump"] = bool(wanted["find"]) and (log.match is not None or not seen)
    return render(request, "agentcore/_run_log_lines.html", context)
