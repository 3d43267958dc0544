"""The figures of a run, from the contents of its evidence alone: what was made here and what is brought back go through
the same computation. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.aws.logs.streams import LogEvent
from apps.metrics.starts.clock import Interval, Sighting, narrowed
from apps.metrics.starts.search import Window, find_start_of_run
from apps.metrics.startup import WEAK_RANK, startup_latency_ms
from apps.sessions.models import elapsed_ms
from loom_events.fold import TOKEN_KINDS, answer_text, token_counts, unread_count

Contents = Mapping[str, Any]


def figures_of(contents: Contents) -> dict[str, Any]:
    """What the parts `run`, `events`, `logs` and `measurement` add up to; milliseconds, None where unknown.

    Raises KeyError, TypeError, ValueError and the like where they are not as `making` writes them.
    """
    run, events = contents["run"], contents["events"]
    invoked_at = _instant(run["invoked_at"])
    total_ms = elapsed_ms(invoked_at, _instant(run["completed_at"]))
    if total_ms is not None and run["waited_ms"]:
        total_ms = round(total_ms - float(run["waited_ms"]), 3)
    answer = answer_text(events)
    input_tokens, output_tokens = token_counts(events)
    return {
        "headers_ms": elapsed_ms(invoked_at, _instant(run["headers_at"])),
        "first_chunk_ms": elapsed_ms(invoked_at, _instant(run["first_chunk_at"])),
        "time_to_first_token_ms": elapsed_ms(invoked_at, _instant(run["first_token_at"])),
        "first_token_event_ms": next((event["offset_ms"] for event in events if event["kind"] in TOKEN_KINDS), None),
        "total_latency_ms": total_ms,
        "event_count": len(events),
        "is_gapless": [event["seq"] for event in events] == list(range(1, len(events) + 1)),
        "answer_characters": len(answer),
        "answer_sha256": hashlib.sha256(answer.encode()).hexdigest(),
        "input_token_count": input_tokens,
        "output_token_count": output_tokens,
        "unread_event_count": unread_count(events),
        **_start(contents, invoked_at),
    }


def _start(contents: Contents, invoked_at: datetime | None) -> dict[str, Any]:
    """What the lines and the measurement say of the start, and whether they say the same."""
    measured = contents["measurement"]
    if measured is None or invoked_at is None:
        return dict.fromkeys(
            ("startup_latency_ms", "low_ms", "high_ms", "interval_run_count", "start_line", "is_start_confirmed")
        )
    started_at = _instant(measured["agent_started_at"])
    low_ms, high_ms = measured["low_ms"], measured["high_ms"]
    line = _start_line(contents["logs"]["lines"], contents["logs"]["window"])
    interval = _interval(measured, invoked_at, started_at)
    return {
        "startup_latency_ms": startup_latency_ms(invoked_at, started_at, low_ms, high_ms),
        "low_ms": interval.low_ms if interval else low_ms,
        "high_ms": interval.high_ms if interval else high_ms,
        "interval_run_count": interval.run_count if interval else 1,
        "start_line": line,
        "is_start_confirmed": None
        if started_at is None
        else line is not None and _instant(line["started_at"]) == started_at,
    }


def _start_line(lines: Sequence[Contents], window: Contents) -> dict[str, Any] | None:
    """The start that the parser finds in the lines now."""
    events = [
        LogEvent(line["stream"], _needed(line["at"]), _needed(line["ingested_at"]), line["message"], "")
        for line in lines
    ]
    start = find_start_of_run(
        events,
        Window(
            _needed(window["invoked_at"]),
            _instant(window["first_byte_at"]),
            _needed(window["completed_at"]),
            _instant(window["previous_completed_at"]),
            _instant(window["next_invoked_at"]),
        ),
    )
    if start is None:
        return None
    return {
        "marker": start.marker,
        "marker_rank": start.rank,
        "started_at": start.started_at.isoformat(),
        "stream": start.stream,
    }


def _interval(measured: Contents, invoked_at: datetime, started_at: datetime | None) -> Interval | None:
    """The bounds that the other runs of its environment draw closer."""
    rank = measured["marker_rank"]
    if started_at is None or rank in (None, WEAK_RANK) or not measured["environment"]:
        return None
    others = [
        Sighting(_needed(one["sent_at"]), _needed(one["first_byte_at"]), _needed(one["started_at"]), one["marker_rank"])
        for one in measured["environment"]
    ]
    own = next((one for one in others if (one.sent_at, one.started_at) == (invoked_at, started_at)), None)
    return None if own is None else narrowed(own, others)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else _needed(text)


def _needed(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant without its time zone")
    return at
