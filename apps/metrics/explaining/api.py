"""The timeline of a run over JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from django.db import models
from django.http import HttpRequest
from ninja import Router, Schema

from apps.accounts.access import may_read
from apps.core.exceptions import found
from apps.metrics.explaining.agent_spans import AgentSpans
from apps.metrics.explaining.timeline import Timeline, timeline_of
from apps.metrics.explaining.why import why_slow
from apps.metrics.explaining.wording import GAPS
from apps.sessions.outcomes import api_status
from apps.sessions.selectors import invocations_visible_to

router = Router(tags=["metrics"])

_HIGHEST_KEY = models.BigIntegerField.MAX_BIGINT


class GapOut(Schema):
    """A piece of the run's time between two instants, `after` and `before`; `key` says what happened meanwhile.

    `clock` is `agent` where one of the two is told by the agent's log (`evidence` is `log`), else `loom`.
    """

    key: str
    name: str
    start_ms: float
    end_ms: float
    clock: Literal["loom", "agent"]
    evidence: Literal["run", "log"]
    after: str
    before: str


class StartOut(Schema):
    """When the agent began by its own clock, and between which bounds that must lie by causality."""

    at_ms: float
    low_ms: float
    high_ms: float
    marker: str
    marker_rank: int | None
    is_provisional: bool


class SpanOut(Schema):
    """A tool call, a node or a sub-agent. `parent` is the `key` of the one it happened inside, "" for the run."""

    key: str
    parent: str
    kind: Literal["tool", "node", "agent"]
    name: str
    start_ms: float
    end_ms: float
    is_over: bool
    has_failed: bool
    depth: int


class AgentSpanOut(Schema):
    """A span that the agent itself told of, by its own clock.

    `parent` is the `key` of the span it happened inside, which need not be among these; `same_as` is the `key` in
    `spans` of the recorded call that it is, else "".
    """

    key: str
    parent: str
    kind: Literal["tool", "agent", "cycle", "model", "other"]
    name: str
    start_ms: float
    end_ms: float
    has_failed: bool
    depth: int
    same_as: str


class AgentSpansOut(Schema):
    """What CloudWatch has of the run's trace in `log_group`.

    `waiting` while it is looked for, `failed` with AWS's `error_code` where it could not be. The first span began
    between `low_ms` and `high_ms`; all are moved by `shift_ms` where the agent's clock contradicts that. `is_cut`: the
    lines were too many to be read to their end, so there may be more spans. `is_looked_for`: more may still come.
    """

    state: Literal["waiting", "found", "not_found", "failed"]
    log_group: str
    error_code: str
    low_ms: float
    high_ms: float
    shift_ms: float
    damaged_count: int
    left_out_count: int
    is_cut: bool
    is_looked_for: bool
    spans: list[AgentSpanOut]


class StallOut(Schema):
    """More than a second between two events of the answer."""

    start_ms: float
    end_ms: float
    is_in_tool: bool


class RateOut(Schema):
    """How much text came a second in each step of time. Tokens are the reported ones, spread over the text."""

    unit: Literal["tokens", "characters"]
    start_ms: float
    step_ms: float
    per_second: list[float]


class WhyOut(Schema):
    """One sentence, its cause, and its two figures: `took_ms` of `of_ms`."""

    text: str
    cause: Literal["queue", "attempts", "environment", "agent", "tool", "stalls", "answer"]
    took_ms: float
    of_ms: float


class TimelineOut(Schema):
    """A run's time; milliseconds since `began_at`. The gaps follow on each other and add up to `wall_ms`.

    `start` is null where the log does not tell it, or tells what cannot be (`start_state`).
    `why` says why the run was slow; null for a fast one, and where no single cause is certain.
    `agent_spans` is null for a run without a trace.
    """

    id: int
    session_id: str
    invocation: int
    status: str
    reason: str
    began_at: datetime
    wall_ms: float
    is_finished: bool
    start_state: str
    start_kind: str
    gaps: list[GapOut]
    start: StartOut | None
    spans: list[SpanOut]
    stalls: list[StallOut]
    rate: RateOut | None
    why: WhyOut | None
    agent_spans: AgentSpansOut | None


def timeline_out(timeline: Timeline) -> dict[str, Any]:
    """A timeline under the keys of TimelineOut."""
    run, sent_ms = timeline.invocation, timeline.sent_ms or 0.0
    why, _ = why_slow(timeline)
    status, reason = api_status(run)
    return {
        "id": run.pk,
        "session_id": run.session.runtime_session_id,
        "invocation": run.number,
        "status": status,
        "reason": reason,
        "began_at": timeline.began_at,
        "wall_ms": timeline.wall_ms,
        "is_finished": not run.is_unfinished,
        "start_state": timeline.panel.state,
        "start_kind": timeline.panel.start_kind,
        "gaps": [{**asdict(gap), "name": str(GAPS[gap.key])} for gap in timeline.gaps],
        "start": timeline.start and asdict(timeline.start),
        "spans": [_since_beginning(asdict(span), sent_ms) for span in timeline.spans],
        "stalls": [_since_beginning(asdict(stall), sent_ms) for stall in timeline.stalls],
        "rate": timeline.rate and {**asdict(timeline.rate), "start_ms": timeline.rate.start_ms + sent_ms},
        "why": why and {"text": why.text, "cause": why.cause, "took_ms": why.took_ms, "of_ms": why.of_ms},
        "agent_spans": timeline.agent_spans and _agent_spans_out(timeline.agent_spans, sent_ms),
    }


def _agent_spans_out(told: AgentSpans, sent_ms: float) -> dict[str, Any]:
    bounds = {"low_ms": told.low_ms + sent_ms, "high_ms": told.high_ms + sent_ms}
    spans = [_since_beginning(asdict(span), sent_ms) for span in told.spans]
    return {**asdict(told), **bounds, "spans": spans}


def _since_beginning(fields: dict[str, Any], sent_ms: float) -> dict[str, Any]:
    """Recordings count from when the prompt was sent."""
    return {**fields, "start_ms": fields["start_ms"] + sent_ms, "end_ms": fields["end_ms"] + sent_ms}


@router.get("/runs/{int:run_id}/timeline", auth=may_read, response=TimelineOut, summary="Read where a run's time went")
def get_timeline(request: HttpRequest, run_id: int) -> dict[str, Any]:
    """Gaps, tools and sub-agents, stalls and the speed of the text; of a run that goes on, up to now."""
    runs = invocations_visible_to(request.user).select_related("session__agent", "measurement", "agent_trace")
    run = runs.defer("payload", "response_text").filter(pk=run_id).first() if run_id <= _HIGHEST_KEY else None
    return timeline_out(timeline_of(found(run, "run", run_id)))
