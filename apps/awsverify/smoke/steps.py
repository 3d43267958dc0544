"""How each step is told: one line with what was measured, one with what to do where it failed."""

from __future__ import annotations

from apps.awsverify.smoke.findings import SmokeRun, Step
from apps.awsverify.smoke.log_seen import LogSeen, StartOfTurn
from apps.awsverify.smoke.turns import STOPPED, Turn
from loom_client import ApiError, ClientError


def failed_step(name: str, error: ClientError) -> Step:
    """What Loom refused, or that it could not be asked."""
    if not isinstance(error, ApiError):
        return Step(name, "failed", f"{type(error).__name__}: {error}", "Loom's own log says more.")
    request = f" (request id {error.request_id})" if error.request_id else ""
    return Step(name, "failed", f"{error.code}: {error}{request}", error.advice)


def turn_step(turn: Turn) -> Step:
    """One invocation: how it ended and how long it took."""
    if turn.status == "failed":
        request = f" (request id {turn.request_id})" if turn.request_id else ""
        return Step(turn.name, "failed", f"{turn.error_code}: {turn.error_message}{request}", turn.advice)
    if turn.name == STOPPED and (turn.status == "completed" or not turn.is_stream):
        return Step(turn.name, "skipped", "the answer is no stream, or was over before it could be stopped")
    if turn.status == "stopped":
        message = f"closed {_ms(turn.total_ms)} after the send, with {turn.byte_count} bytes of the answer"
        return Step(turn.name, "ok", message)
    first_words = f"TTFT {_ms(turn.first_token_ms)}, " if turn.first_token_ms is not None else ""
    return Step(
        turn.name,
        "ok",
        f"{first_words}headers {_ms(turn.headers_ms)}, total {_ms(turn.total_ms)}, {turn.chunk_count} chunks, "
        f"{turn.byte_count} bytes, {turn.content_type}",
    )


def recording_step(run: SmokeRun) -> Step:
    """Whether Loom reads back what it streamed."""
    turns = [turn for turn in run.turns if turn.is_recorded is not None]
    unlike = [turn.name for turn in turns if not turn.is_recorded]
    if not turns:
        return Step("recording", "skipped", "no answer came")
    if unlike:
        message = f"what Loom keeps is not what it streamed: {', '.join(unlike)}"
        return Step("recording", "failed", message, "Loom's own log says more.")
    count = sum(sum(turn.event_counts.values()) for turn in turns)
    read_back = "1 answer read back as it was" if len(turns) == 1 else f"{len(turns)} answers read back as they were"
    return Step("recording", "ok", f"{read_back} streamed, {count} events")


def log_step(seen: LogSeen) -> Step:
    """The reading of the log."""
    if seen.error_code:
        return Step("logs", "failed", f"{seen.error_code}: {seen.error_message}", seen.advice)
    if not seen.log_group:
        return Step("logs", "skipped", "no invocation was answered, so there is nothing to look for")
    looked = f"{seen.reading_count} reading{'s' * (seen.reading_count > 1)} in {seen.waited_ms / 1000:.1f} s"
    streams = ", ".join(f"{count} {kind}" for kind, count in sorted(seen.stream_kinds.items()))
    if seen.line_count:
        return Step("logs", "ok", f"{seen.line_count} lines in {looked}; streams: {streams}")
    if seen.foreign_line_count:
        message = f"{seen.foreign_line_count} lines in {looked}, none names this session; streams: {streams}"
        return Step("logs", "skipped", message, "Only lines that name their session can be used: AgentCore's SDK does.")
    advice = "CloudWatch may be slow, or the execution role may not write logs; raise --log-wait, run check_aws."
    return Step("logs", "failed", f"no line in {looked} of {seen.log_group}", advice)


def start_step(seen: LogSeen, run: SmokeRun) -> Step:
    """Startup latency, measured from the log, beside the time to first token."""
    if not seen.starts:
        return Step("startup latency", "skipped", "the log tells of no start")
    shown = "; ".join(f"{_started(start, run.turn(start.turn))} (marker {start.rank})" for start in seen.starts)
    if seen.has_measured_all:
        return Step("startup latency", "ok", shown)
    advice = "Marker 4 is only the first line after the request; let the agent log “Agent invoked - Start time: …”."
    return Step("startup latency", "skipped", shown, advice)


def _started(start: StartOfTurn, turn: Turn | None) -> str:
    if start.startup_ms is None:
        return f"{start.turn}: clocks differ ({start.difference_ms:+.0f} ms)"
    ttft_ms = turn.first_token_ms if turn else None
    return f"{start.turn} {_ms(start.startup_ms)}{'' if ttft_ms is None else f' of TTFT {_ms(ttft_ms)}'}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
