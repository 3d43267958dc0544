"""What the engine of this process counts and logs of its runs: see `apps.core.running.telemetry`."""

from __future__ import annotations

import logging

from apps.core import log_context
from apps.core.running.telemetry import Counter, Histogram
from apps.sessions.engine.host import RunEnd
from apps.sessions.engine.run import Run
from apps.sessions.models import Invocation

logger = logging.getLogger(__name__)

_runs = Counter("loom_runs", "Runs that ended in this process", ("agent_kind", "status", "source"))
_durations = Histogram("loom_run_duration_seconds", "From the request to the end of a run", ("agent_kind", "source"))
_first_tokens = Histogram(
    "loom_run_time_to_first_token_seconds", "From the request to the first token", ("agent_kind", "source")
)
_chunks = Counter("loom_run_chunks", "Pieces in which answers arrived", ("agent_kind",))
_bytes = Counter("loom_run_bytes", "Bytes of answers", ("agent_kind",))


def count_run(run: Run, end: RunEnd) -> None:
    """Count a run that has ended; one that waits for a person goes on."""
    if end.status == run.invocation.Status.WAITING:
        return
    kind = run.invocation.kind or run.invocation.session.agent.kind
    source = str(run.invocation.source or Invocation.Source.MANUAL)
    _runs.add(kind, str(end.status), source)
    if run.clock.invoked_at is None:
        return  # it was never sent
    _durations.observe(run.clock.offset_ms() / 1000, kind, source)
    if run.first_token_ms is not None:
        _first_tokens.observe(run.first_token_ms / 1000, kind, source)
    _chunks.add(kind, by=run.chunk_count)
    _bytes.add(kind, by=run.byte_count)


def say_run(invocation: Invocation) -> None:
    """Have every line that is logged on behalf of a run say which one it is."""
    session = invocation.session
    log_context.say(
        invocation=invocation.pk,
        agent=session.agent_id,
        session=session.pk,
        runtime_session=session.runtime_session_id,
        prompt_length=len(invocation.prompt),
    )


def log_end(run: Run, end: RunEnd) -> None:
    """Say in one line how a run ended, how long it took and how much came, and nothing of what was said."""
    invocation, duration_ms = run.invocation, round(run.clock.offset_ms())
    session = invocation.session
    logger.log(
        invocation.log_level,
        "invocation %s id=%s agent=%s session=%s chunks=%d bytes=%d duration_ms=%d code=%s",
        end.status, invocation.pk, session.agent_id, session.runtime_session_id, run.chunk_count, run.byte_count,
        duration_ms, end.code or "-",
        extra={
            "status": str(end.status), "duration_ms": duration_ms, "chunk_count": run.chunk_count,
            "byte_count": run.byte_count, "code": end.code or None,
        },
    )  # fmt: skip
