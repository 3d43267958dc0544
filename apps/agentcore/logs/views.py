"""What CloudWatch holds of a session or of an agent: a page, the lines in it, and the same lines as a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import SignedInRequest
from apps.accounts.policy import subject_of
from apps.agentcore.logs.pages import (
    RANGES,
    AgentLogFilterForm,
    LogFilterForm,
    SessionLogFilterForm,
    as_text,
    fingerprint,
    is_early,
    keep_level,
    newest_first,
    range_of,
    range_of_run,
    shown_lines,
    state_of,
)
from apps.agentcore.logs.reading import LogGroupMissingError, LogLine, LogPage, read_logs
from apps.agentcore.logs.tracebacks import put_together
from apps.agentcore.logs.visibility import ids_shown_to
from apps.agentcore.selectors import with_runtime
from apps.agents.models import Agent
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import LoomError
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import sessions_visible_to

LINES_SHOWN = 500
LINES_DOWNLOADED = 1_000


@dataclass(frozen=True)
class LogSource:
    """Whose lines are asked for, from when to when, and what of them is wanted."""

    agent: Agent
    qualifier: str
    start_at: datetime
    end_at: datetime | None
    form: LogFilterForm
    wanted: dict[str, Any]
    session: Session | None = None
    run: Invocation | None = None
    # The runtime session ids whose lines may be shown; None for all.
    own_ids: frozenset[str] | None = field(default=None)

    def read(self, limit: int) -> LogPage:
        """The newest lines; blocks for some calls of CloudWatch and raises what `read_logs` does."""
        return read_logs(
            agent=self.agent,
            qualifier=self.qualifier,
            runtime_session_id=self.session.runtime_session_id if self.session else None,
            start_at=self.start_at,
            end_at=self.end_at,
            search=self.wanted["q"],
            limit=limit,
            only_ids=self.own_ids,
        )

    def keep(self, lines: list[LogLine]) -> list[LogLine]:
        """The lines of the wanted level, in the wanted order; a stack trace keeps the level of its first line."""
        kept = keep_level(lines, self.wanted["level"])
        return newest_first(kept) if self.wanted["order"] == "newest" else kept


def _session_source(request: SignedInRequest, public_id: UUID) -> LogSource:
    session = get_object_or_404(
        sessions_visible_to(request.user).filter(agent__runtime__isnull=False), public_id=public_id
    )
    form = SessionLogFilterForm(request.GET)
    wanted = form.wanted()
    run = session.invocations.filter(number=wanted["run"]).first() if wanted["run"] else None
    start_at, end_at = range_of_run(run) if run else range_of(session)
    return LogSource(session.agent, session.qualifier, start_at, end_at, form, wanted, session, run)


def _agent_source(request: SignedInRequest, agent_pk: int) -> LogSource:
    """All lines for who may read them; for others those of the sessions that they may see."""
    agent = get_object_or_404(with_runtime(agents_visible_to(request.user)), pk=agent_pk)
    form = AgentLogFilterForm(request.GET, agent=agent)
    wanted = form.wanted()
    own_ids = ids_shown_to(subject_of(request.user), agent)
    start_at = timezone.now() - RANGES[wanted["range"] or "24h"]
    return LogSource(agent, wanted["qualifier"] or "DEFAULT", start_at, None, form, wanted, own_ids=own_ids)


def _lines(source: LogSource) -> dict[str, Any]:
    """What was found, or why nothing could be."""
    try:
        page = source.read(LINES_SHOWN)
    except LogGroupMissingError as error:
        return {"missing": error}
    except LoomError as error:
        return {"error": error}
    lines = put_together(page.events)
    kept = source.keep(lines)
    return {
        "log_page": page,
        "lines": shown_lines(kept, source.run),
        "fingerprint": fingerprint(kept),
        "streams": sorted({line.stream for line in kept}),
        "hidden_count": len(lines) - len(kept),
    }


def _show(request: SignedInRequest, source: LogSource, template: str) -> HttpResponse:
    """The page at once; its lines when it asks for them, because CloudWatch may take seconds."""
    context: dict[str, Any] = {
        "source": source,
        "wanted": source.wanted,
        "form": source.form,
        "agent": source.agent,
        "session": source.session,
        "run": source.run,
        "is_early": source.session is not None and is_early(source.session),
        "is_narrowed": bool(source.wanted["q"] or source.wanted["level"]),
    }
    if not (request.htmx and request.htmx.target == "log-lines"):
        return render(request, template, context)
    if source.session is None:
        return render(request, "agentcore/_log_lines.html", {**context, **_lines(source)})
    state, is_going_on = state_of(source.session)
    seen = request.GET.get("seen", "")
    if seen.startswith(f"{state}:") and not is_going_on:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    context |= _lines(source)
    context["seen"] = f"{state}:{context.get('fingerprint', '')}"
    # What is shown stays where it is still so, and where CloudWatch does not answer for once.
    if seen and (seen == context["seen"] or "log_page" not in context):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return render(request, "agentcore/_log_lines.html", context)


def _download(source: LogSource, name: str) -> HttpResponse:
    plain = "text/plain; charset=utf-8"
    try:
        page = source.read(LINES_DOWNLOADED)
    except LoomError as error:
        return HttpResponse(f"{error.text()}\n", status=error.http_status, content_type=plain)
    headers = {"Content-Disposition": f'attachment; filename="{name}.log"', "Cache-Control": "no-store"}
    return HttpResponse(as_text(source.keep(put_together(page.events))), content_type=plain, headers=headers)


# One address gives a page or its lines: without this a browser could show the lines alone on the way back.
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def session_logs(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The log lines of one session, searched by `q`, from a `level` upwards, in an `order`."""
    return _show(request, _session_source(request, public_id), "agentcore/session_logs.html")


@require_safe
def session_logs_download(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The same lines as a text file."""
    return _download(_session_source(request, public_id), f"session-{public_id}")


@vary_on_headers("HX-Request", "HX-Target")
@require_safe
def agent_logs(request: SignedInRequest, agent_pk: int) -> HttpResponse:
    """The log lines of one endpoint of an agent in a `range` up to now."""
    return _show(request, _agent_source(request, agent_pk), "agentcore/agent_logs.html")


@require_safe
def agent_logs_download(request: SignedInRequest, agent_pk: int) -> HttpResponse:
    """The same lines as a text file."""
    source = _agent_source(request, agent_pk)
    return _download(source, f"{source.agent.runtime.runtime_id}-{source.qualifier}")
