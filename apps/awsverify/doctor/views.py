"""Why no lines are found: a page of a session and of an agent's endpoint, and the same in place of missing lines."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.agentcore.selectors import with_runtime
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to
from apps.awsverify.doctor.diagnosis import diagnose
from apps.awsverify.doctor.looking import Asked
from apps.sessions.selectors import sessions_visible_to


class DoctorForm(forms.Form):
    """The query string; a value that cannot be meant is left out."""

    run = forms.IntegerField(required=False, min_value=1, max_value=10**9)
    qualifier = forms.ChoiceField(required=False)

    def __init__(self, data: Any, *, agent: Agent) -> None:
        super().__init__(data)
        qualifier = self.fields["qualifier"]
        assert isinstance(qualifier, forms.ChoiceField)
        qualifier.choices = [(name, name) for name in agent.available_qualifiers]

    def wanted(self) -> dict[str, Any]:
        self.full_clean()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def session_log_doctor(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """What keeps the lines of a session, or of one `run` of it, from being found."""
    sessions = sessions_visible_to(request.user).filter(agent__runtime__isnull=False)
    session = get_object_or_404(sessions, public_id=public_id)
    number = DoctorForm(request.GET, agent=session.agent).wanted()["run"]
    runs = session.invocations.defer("prompt", "payload", "response_text")
    run = runs.filter(number=number).first() if number else None
    return _show(request, Asked(session.agent, session.qualifier, session, run))


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def agent_log_doctor(request: SignedInRequest, agent_pk: int) -> HttpResponse:
    """What keeps the lines of an endpoint from being found: of the last day, and no word of them is shown."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=agent_pk)
    return _show(request, Asked(agent, DoctorForm(request.GET, agent=agent).wanted()["qualifier"] or "DEFAULT"))


def _show(request: SignedInRequest, asked: Asked) -> HttpResponse:
    """The whole page for who comes by a link, its checks alone in place of the lines that are missed."""
    report = diagnose(asked)
    checks = [(check, json.dumps(check.statement, indent=2) if check.statement else "") for check in report.checks]
    context = {
        "report": report,
        "checks": checks,
        "agent": asked.agent,
        "session": asked.session,
        "run": asked.run,
    }
    is_part = request.htmx and request.htmx.target == "log-doctor"
    return render(request, "awsverify/log_doctor.html#log-doctor" if is_part else "awsverify/log_doctor.html", context)
