"""The evidence of a run: everything that its figures are computed from, each part hashed, all signed."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.agentcore.account_exceptions import AccountDisabledError
from apps.agentcore.aws.connection import connection_of
from apps.agentcore.logs.reading import MAX_LINES, read_logs
from apps.aws.dataplane.response import ACCEPT, CONTENT_TYPE
from apps.aws.errors import AwsError
from apps.aws.logs.markers import parse_marker
from apps.aws.logs.reading import RuntimeLogs
from apps.aws.logs.spans import parse_span
from apps.core.exceptions import LoomError
from apps.metrics.models import AgentTrace, Measurement
from apps.metrics.selectors import measurement_of
from apps.metrics.starts.panel import sightings_of
from apps.metrics.starts.search import Window
from apps.metrics.starts.sweep import SKEW
from apps.metrics.starts.turns import turns_of
from apps.metrics.traces.keeping import as_kept
from apps.metrics.traces.reading import lines_of_trace
from apps.sessions.models import Invocation
from apps.takeout.evidence.canonical import canonical, sha256
from apps.takeout.evidence.figures import figures_of
from apps.takeout.exceptions import ContentRemovedError, NotFinishedError
from apps.takeout.exporting.downloads import Document, file_name
from apps.takeout.exporting.reading import RecordedRun, recorded

FORMAT = "loom.evidence/1"
PARTS = ("request", "run", "events", "logs", "measurement", "figures")
_SALT = "loom.takeout.evidence"
_SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"


def evidence_document(run: Invocation) -> Document:
    """The evidence of a run (with everything loaded) as a file, in one line: its bytes count.

    Raises NotFinishedError and ContentRemovedError. Blocks for some calls of CloudWatch.
    """
    name = file_name(
        run.session.agent.name, str(run.session.public_id)[:8], run.number, "evidence", suffix="json"
    )  # fmt: skip
    return Document(name, "application/json", [f"{canonical(make_evidence(run))}\n"])


def make_evidence(run: Invocation) -> dict[str, Any]:
    """The same as a value."""
    if run.is_unfinished:
        raise NotFinishedError
    if run.content_removed_at is not None:
        raise ContentRemovedError
    found = recorded(run)
    measurement = measurement_of(run)
    contents: dict[str, Any] = {
        "request": _request(run),
        "run": _run(run),
        "events": found.events,
        "logs": _logs(found, measurement),
        "measurement": _measurement(run, measurement),
    }
    contents["figures"] = figures_of(contents)
    return sealed(contents, made_at=timezone.now())


def sealed(contents: Mapping[str, Any], *, made_at: datetime) -> dict[str, Any]:
    """The contents with the hash of each, a signature over the hashes, and a hash over all of that."""
    head = {
        "format": FORMAT,
        "made_at": made_at.isoformat(),
        "hashes": {part: sha256(contents[part]) for part in PARTS},
    }
    seal = {**head, "signature": signatures(head)[0]}
    return {**seal, "digest": sha256(seal), "contents": dict(contents)}


def signatures(head: Mapping[str, Any]) -> list[str]:
    """What this Loom signs a head with: by its present key first, then by those that it still takes."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    text = canonical(head)
    return [salted_hmac(_SALT, text, secret=key, algorithm="sha256").hexdigest() for key in keys]


def is_signed_here(head: Mapping[str, Any], signature: str) -> bool:
    return any(hmac.compare_digest(own.encode(), signature.encode()) for own in signatures(head))


def _request(run: Invocation) -> dict[str, Any]:
    """What was sent, without what let it in."""
    session, agent = run.session, run.session.agent
    request: dict[str, Any] = {
        "agent_name": agent.name,
        "origin": agent.origin,
        "qualifier": session.qualifier,
        "session_id": session.runtime_session_id,
        "invocation": run.number,
        "payload": run.payload,
        "attempt_count": run.attempt_count,
    }
    if hasattr(agent, "runtime"):
        request |= {
            "operation": "InvokeAgentRuntime",
            "agent_runtime_arn": agent.runtime.arn,
            "headers": {
                "Accept": ACCEPT,
                "Content-Type": CONTENT_TYPE,
                _SESSION_HEADER: session.runtime_session_id,
            },
        }
    return request


def _run(run: Invocation) -> dict[str, Any]:
    instants = (
        "requested_at", "queued_at", "claimed_at", "invoked_at", "headers_at", "first_chunk_at", "first_token_at",
        "completed_at",
    )  # fmt: skip
    facts = (
        "status", "error_code", "error_message", "agent_error_type", "is_unsent", "http_status", "content_type",
        "request_id", "trace_id", "chunk_count", "byte_count", "version", "is_version_assumed", "waited_ms",
        "last_sequence", "lost_event_count",
    )  # fmt: skip
    return {
        "id": run.pk,
        **{name: _iso(getattr(run, name)) for name in instants},
        **{name: getattr(run, name) for name in facts},
        "source": str(run.source or ""),
        "purpose": str(run.session.purpose),
    }


def _logs(found: RecordedRun, measurement: Measurement | None) -> dict[str, Any]:
    """The lines of the session around the run, each with what the parser takes it for, and when a start is possible."""
    run = found.invocation
    nothing: dict[str, Any] = {
        "log_group": "",
        "lines": [],
        "is_complete": False,
        "problem": "",
        "window": None,
        "spans": None,
    }
    if measurement is None or run.invoked_at is None or run.completed_at is None:
        return {**nothing, "problem": "no agent was started, or none whose start can be found"}
    window = turns_of([measurement]).window(measurement)
    told = {**nothing, "log_group": measurement.log_group, "window": _window(window)}
    start_at, end_at = window.invoked_at - SKEW, window.completed_at + SKEW
    if measurement.agent_started_at is not None:  # by another clock
        start_at = min(start_at, measurement.agent_started_at - timedelta(seconds=1))
        end_at = max(end_at, measurement.agent_started_at + SKEW)
    try:
        page = read_logs(
            agent=run.session.agent, qualifier=run.session.qualifier,
            runtime_session_id=run.session.runtime_session_id, start_at=start_at, end_at=end_at, limit=MAX_LINES,
        )  # fmt: skip
    except LoomError as error:
        return {**told, "problem": error.text()}
    lines = []
    for line in page.events:
        marker = parse_marker(line.message, line.at)
        lines.append(
            {
                "at": _iso(line.at),
                "ingested_at": _iso(line.ingested_at),
                "stream": line.stream,
                "message": line.message,
                "marker": marker.name if marker else None,
                "marker_rank": marker.rank if marker else None,
                "started_at": _iso(marker.started_at) if marker else None,
            }
        )
    return {**told, "lines": lines, "is_complete": not page.has_more, "spans": _span_lines(run)}


def _span_lines(run: Invocation) -> dict[str, Any] | None:
    """The lines of the run's trace, each with what is read of it; None for a run whose spans are not looked for."""
    trace: AgentTrace | None = getattr(run, "agent_trace", None)
    if trace is None or run.invoked_at is None or run.completed_at is None:
        return None
    runtime = run.session.agent.runtime
    told: dict[str, Any] = {"trace_id": trace.trace_id, "log_group": "", "lines": [], "is_complete": False}
    try:
        told["log_group"], events, told["is_complete"] = lines_of_trace(
            RuntimeLogs(connection_of(runtime)), region=runtime.region, trace_id=trace.trace_id,
            own_group=runtime.parsed_arn.log_group(run.session.qualifier), start=run.invoked_at, end=run.completed_at,
        )  # fmt: skip
    except (AwsError, AccountDisabledError) as error:
        return {**told, "problem": error.code}
    for event in events[:MAX_LINES]:
        span = parse_span(event.message)
        told["lines"].append(
            {
                "at": _iso(event.at),
                "ingested_at": _iso(event.ingested_at),
                "stream": event.stream,
                "message": event.message,
                "span": span and as_kept(span),
            }
        )
    return {**told, "is_complete": told["is_complete"] and len(events) <= MAX_LINES, "problem": ""}


def _window(window: Window) -> dict[str, str | None]:
    return {
        "invoked_at": _iso(window.invoked_at),
        "first_byte_at": _iso(window.first_byte_at),
        "completed_at": _iso(window.completed_at),
        "previous_completed_at": _iso(window.previous_completed_at),
        "next_invoked_at": _iso(window.next_invoked_at),
    }


def _measurement(run: Invocation, measurement: Measurement | None) -> dict[str, Any] | None:
    """What the search had decided, and what narrows its interval: the runs of the same environment."""
    if measurement is None:
        return None
    names = (
        "state", "start_kind", "start_kind_reason", "log_stream", "marker", "marker_rank", "low_ms", "high_ms", "tries",
        "log_event_count", "error_code",
    )  # fmt: skip
    return {
        **{name: getattr(measurement, name) for name in names},
        "agent_started_at": _iso(measurement.agent_started_at),
        "environment": [
            {
                "sent_at": _iso(one.sent_at),
                "first_byte_at": _iso(one.first_byte_at),
                "started_at": _iso(one.started_at),
                "marker_rank": one.marker_rank,
            }
            for one in sightings_of(run)
        ],
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
