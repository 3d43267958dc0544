"""A session, or one of its runs, as JSON: what the API tells of it, and its recording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from apps.metrics.sessions_api import invocation_out, session_out
from apps.sessions.models import Session
from apps.takeout.exporting.reading import RecordedRun, runs_of

SESSION_FORMAT, RUN_FORMAT = "loom.session/1", "loom.run/1"
# Of the newest run, and not of the session.
_OF_SESSION = (
    "id", "agent_id", "session_id", "qualifier", "title", "purpose", "created_at", "last_invoked_at", "ended_at",
    "invocation_count", "url",
)  # fmt: skip


def session_json(session: Session) -> Iterator[str]:
    """One object. `invocations` stand last, so that a session of any length is written as it is read."""
    told = session_out(session, None, session.invocations.count())
    head = {"format": SESSION_FORMAT, **_agent(session), **{key: told[key] for key in _OF_SESSION}}
    yield _json(head)[:-1] + ', "invocations": ['
    for position, run in enumerate(runs_of(session)):
        yield f"{',' if position else ''}\n{_json(_run(run))}"
    yield "\n]}\n"


def run_json(run: RecordedRun) -> Iterator[str]:
    session = run.invocation.session
    head = {"format": RUN_FORMAT, **_agent(session), "session_id": session.runtime_session_id}
    yield f"{_json({**head, 'qualifier': session.qualifier, **_run(run)})}\n"


def _agent(session: Session) -> dict[str, Any]:
    return {"agent_name": session.agent.name, "origin": session.agent.origin}


def _run(run: RecordedRun) -> dict[str, Any]:
    invocation = run.invocation
    return {
        "id": invocation.pk,
        **invocation_out(invocation),
        "response": run.answer,
        "payload": invocation.payload,
        "events": run.events,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, cls=DjangoJSONEncoder)
