"""The events of a run: what a recording holds, whatever its consumer.

An event is a plain dict `{"seq": int, "offset_ms": float, "kind": str, …}`: `seq` counts from 1 without a gap,
`offset_ms` is measured from `invoked_at` on the monotonic clock. Kinds are those of `apps.aws.stream` and two of our
own: `invoked` (`at`: ISO 8601 instant, `attempt`) when the request is sent, `headers` (`http_status`, `content_type`)
when the response begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]

# The first of these is the first token: a JSON body arrives as a whole and has none.
TOKEN_KINDS = frozenset({"text", "tool", "reasoning"})

MOST_TOKENS = 2**31 - 1  # PostgreSQL refuses what is larger than its integer


def answer_text(events: Iterable[Event]) -> str:
    """The answer as plain text: every text piece in order, unchanged."""
    return "".join(event["text"] for event in events if event["kind"] in {"text", "json"})


def merge_text(events: Iterable[Any]) -> list[Any]:
    """Join neighbouring text events, so that one network chunk makes one event."""
    merged: list[Any] = []
    for event in events:
        if event["kind"] == "text" and merged and merged[-1]["kind"] == "text":
            merged[-1] = {**merged[-1], "text": merged[-1]["text"] + event["text"]}
        else:
            merged.append(event)
    return merged


def token_counts(events: Iterable[Event]) -> tuple[int | None, int | None]:
    """Input and output tokens summed over the cycles of a run, at most what their column holds.

    None where the agent reported no usage.
    """
    usages = [event for event in events if event["kind"] == "usage"]
    if not usages:
        return None, None
    input_tokens, output_tokens = (sum(usage[key] for usage in usages) for key in ("input_tokens", "output_tokens"))
    return min(input_tokens, MOST_TOKENS), min(output_tokens, MOST_TOKENS)
