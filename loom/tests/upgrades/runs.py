"""Invocations of the landed version with their recordings and measurements, of every kind in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

ENDED = ("completed", "failed", "stopped", "interrupted")
UNFINISHED = ("pending", "streaming")
# In turn: mostly completed, and each of the others within 30 runs.
STATUSES = (*("completed",) * 6, "failed", "completed", "stopped", "completed", "completed", "interrupted")
STATES = ("measured", "measured", "waiting", "measured", "not_found", "measured", "failed")
KINDS = ("created", "pooled", "reused", "unknown", "reused")
AT_ONCE = 500


class Runs:
    """Stores the runs of some sessions."""

    def __init__(self, models: Any, processes: Sequence[Any]) -> None:
        self._processes = processes
        self._invocation = models.get_model("agent_sessions", "Invocation")
        self._recording = models.get_model("agent_sessions", "Recording")
        self._batch = models.get_model("agent_sessions", "RecordingBatch")
        self._measurement = models.get_model("metrics", "Measurement")

    def store(self, sessions: Sequence[Any], lengths: Sequence[int]) -> None:
        """So many runs for each session; of every tenth session the last one is not over."""
        index = count(self._invocation.objects.count())
        runs = self._invocation.objects.bulk_create(
            (
                self._run(session, number, next(index), is_open=session.pk % 10 == 3 and number == length)
                for session, length in zip(sessions, lengths, strict=True)
                for number in range(1, length + 1)
            ),
            batch_size=AT_ONCE,
        )
        over = [run for run in runs if run.status in ENDED]
        self._recording.objects.bulk_create(self._recordings(over), batch_size=AT_ONCE)
        still = [run for run in runs if run.status == "streaming" or run.pk % 25 == 0]
        self._batch.objects.bulk_create(self._batches(still), batch_size=AT_ONCE)
        self._measurement.objects.bulk_create((self._measured(run) for run in over), batch_size=AT_ONCE)

    def _run(self, session: Any, number: int, index: int, *, is_open: bool) -> Any:
        status = UNFINISHED[session.pk // 10 % 2] if is_open else STATUSES[index % len(STATUSES)]
        at = session.created_at + timedelta(minutes=number - 1, milliseconds=index % 997)
        is_sent, is_over, is_failed = status != "pending", status in ENDED, status == "failed"
        return self._invocation(
            session=session, number=number, status=status, prompt=f"Frage {index}: wohin?",
            payload=f'{{"prompt": "Frage {index}: wohin?", "n": {index}}}',
            request_key=f"run-{index}" if index % 4 == 0 else "", response_text=_answer(index) if is_over else "",
            requested_at=at, claimed_at=at if is_sent else None, invoked_at=at if is_sent else None,
            headers_at=at + timedelta(milliseconds=90) if is_sent else None,
            first_chunk_at=at + timedelta(milliseconds=110) if is_sent else None,
            first_token_at=at + timedelta(milliseconds=120 + index % 50) if is_sent and index % 8 else None,
            completed_at=at + timedelta(seconds=2, milliseconds=index % 700) if is_over else None,
            http_status=(429 if index % 2 else 500) if is_failed else 200 if is_sent else None,
            content_type="text/event-stream" if index % 8 else "application/json",
            request_id=f"req-{index:08d}", trace_id=f"1-{index:08x}" if index % 3 else "",
            error_code="ThrottlingException" if is_failed else "", error_message="Too many." if is_failed else "",
            error_advice="Wait a moment." if is_failed else "", is_unsent=is_failed and index % 2 == 1,
            attempt_count=1 + index % 3, chunk_count=index % 40, byte_count=2**33 + index,
            input_token_count=index % 1000 if index % 5 else None, output_token_count=index % 77 if index % 5 else None,
            version=str(1 + index % 3), is_version_assumed=index % 2 == 0, process=self._processes[index % 3],
            stop_requested_at=at + timedelta(seconds=1) if status == "stopped" else None,
            last_sequence=len(_events(index)) if is_sent else 0, lost_event_count=index % 2 if is_failed else 0,
            content_removed_at=at + timedelta(days=1) if index % 37 == 36 else None,
        )  # fmt: skip

    def _recordings(self, runs: Iterable[Any]) -> Iterable[Any]:
        """Every twentieth in two parts."""
        for run in runs:
            events = _events(run.pk - 1)
            parts = [events[:3], events[3:]] if run.pk % 20 == 0 else [events]
            for part in parts:
                yield self._recording(invocation=run, first_sequence=part[0]["seq"], events=part)

    def _batches(self, runs: Iterable[Any]) -> Iterable[Any]:
        for run in runs:
            events = _events(run.pk - 1)[:2]
            yield self._batch(invocation=run, first_sequence=1, last_sequence=2, events=events)

    def _measured(self, run: Any) -> Any:
        state, kind = STATES[run.pk % len(STATES)], KINDS[run.pk % len(KINDS)]
        is_found = state == "measured"
        return self._measurement(
            invocation=run, state=state, start_kind=kind, start_kind_reason=f"Because of {kind}.",
            log_group="/aws/bedrock-agentcore/runtimes/landed-DEFAULT",
            log_stream=f"2025/11/20/[runtime-logs]{run.pk}" if is_found else "",
            agent_started_at=run.invoked_at + timedelta(milliseconds=70.125 + run.pk % 20) if is_found else None,
            marker_rank=1 + run.pk % 4 if is_found else None, marker="Returning streaming response" * is_found,
            high_ms=120.5 + run.pk % 50 if is_found else None, low_ms=0.25 * (run.pk % 3), log_event_count=run.pk % 9,
            tries=run.pk % 15, next_at=run.completed_at if state == "waiting" else None,
            error_code="AccessDenied" * (state == "failed"), error_message="Not allowed." * (state == "failed"),
        )  # fmt: skip


def _answer(index: int) -> str:
    return f"*Antwort* {index} – 🚆 “fine”."


def _events(index: int) -> list[dict[str, Any]]:
    """The events of a run: text alone, or with a tool, or a JSON body."""
    text: dict[str, Any] = {"kind": "text", "text": _answer(index)}
    if index % 8 == 0:
        text = {"kind": "json", "value": {"answer": index}, "text": _answer(index)}
    tool = [
        {"kind": "reasoning", "text": "hm"},
        {"kind": "tool", "tool_use_id": f"tool-{index}", "name": "search"},
        {"kind": "tool_input", "tool_use_id": f"tool-{index}", "text": '{"q": 1}'},
        {"kind": "tool_result", "tool_use_id": f"tool-{index}", "status": "success", "text": "found"},
    ]
    events: list[dict[str, Any]] = [
        {"kind": "invoked", "at": "2025-11-20T10:00:00+00:00", "attempt": 1},
        {"kind": "headers", "http_status": 200, "content_type": "text/event-stream"},
        *(tool if index % 4 == 1 else []),
        text,
        {"kind": "usage", "input_tokens": 11, "output_tokens": index % 77, "total_tokens": 11 + index % 77},
        {"kind": "stop", "reason": "end_turn"},
    ]
    return [{"seq": number, "offset_ms": number * 10.5, **event} for number, event in enumerate(events, start=1)]
