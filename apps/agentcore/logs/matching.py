"""Which of a run's log lines tells of its error, and by what it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.utils import timezone

from apps.agentcore.logs.reading import LogLine
from apps.agentcore.logs.tracebacks import TRACEBACK
from apps.aws.traces import trace_hex, xray_id
from apps.sessions.models import Invocation

# Shorter ids may stand in a line by chance.
_SHORTEST_ID = 8

By = Literal["request", "trace", "error"]
"""What the line shares with the run: the id of its request, that of its trace, or, as an error, only the time."""


@dataclass(frozen=True, slots=True)
class Match:
    line: LogLine
    by: By


def line_of(lines: Sequence[LogLine], run: Invocation) -> Match | None:
    """The line that tells most of how a run failed, among those of its time; None where none does.

    A line that names the request or the trace is surer than one that is merely an error of that time. Of several that
    name it, errors count first, and the one next to the run's end; a run that did not fail has errors only.
    """
    ended_at = run.completed_at or timezone.now()
    for by, ids in (("request", _request_ids(run)), ("trace", _trace_ids(run))):
        named = [line for line in lines if any(found in line.message for found in ids)]
        telling = _errors(named) or (named if run.error_message else [])
        if telling:
            return Match(_nearest(telling, ended_at), "request" if by == "request" else "trace")
    errors = _errors(lines)
    return Match(_nearest(errors, ended_at), "error") if errors else None


def _errors(lines: Sequence[LogLine]) -> list[LogLine]:
    """The errors, or, where no line calls itself one, the heads of stack traces."""
    errors = [line for line in lines if line.level in {"ERROR", "CRITICAL"}]
    return errors or [line for line in lines if line.message.startswith(TRACEBACK)]


def _nearest(lines: Sequence[LogLine], instant: datetime) -> LogLine:
    return min(lines, key=lambda line: abs(line.at - instant))


def _request_ids(run: Invocation) -> list[str]:
    return [run.request_id] if len(run.request_id) >= _SHORTEST_ID else []


def _trace_ids(run: Invocation) -> list[str]:
    digits = trace_hex(run.trace_id)
    return [digits, xray_id(run.trace_id)] if digits else []
