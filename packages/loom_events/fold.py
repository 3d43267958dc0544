"""What the events of a run add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from loom_events.kinds import JsonEvent, OtherEvent, RunEvent, TextEvent

# The first of these is the first token: a JSON body arrives as a whole and has none.
TOKEN_KINDS = frozenset({"text", "tool", "reasoning"})

# Names of `other`: a value of the answer that its reader did not understand, and how many of those were not kept.
UNREAD, UNREAD_MORE = "unread", "unread_more"

_UNSPANNED = 2  # `kind` and `text`: what has no more keys is of no span

MOST_TOKENS = 2**31 - 1  # PostgreSQL refuses what is larger than its integer


def is_answer(event: RunEvent) -> TypeGuard[TextEvent | JsonEvent]:
    """Tell whether this is a piece of the run's own answer, not of what is said inside one of its spans."""
    return event["kind"] in {"text", "json"} and "parent_id" not in event


def answer_text(events: Iterable[RunEvent]) -> str:
    """The answer as plain text: every piece in order, unchanged."""
    return "".join(event["text"] for event in events if is_answer(event))


def merge_text(events: Sequence[RunEvent]) -> Sequence[RunEvent]:
    """Join neighbouring texts of one span, so that one network chunk makes one event."""
    if len(events) < 2:  # as nearly always
        return events
    merged: list[RunEvent] = []
    joined: TextEvent | None = None  # the last of them, if it is text: a copy, for what was given is not changed
    for event in events:
        if event["kind"] != "text":
            joined = None
            merged.append(event)
        elif joined is not None and (len(joined) == len(event) == _UNSPANNED or is_same_span(joined, event)):
            joined["text"] += event["text"]
        else:
            joined = event.copy()
            merged.append(joined)
    return merged


def is_same_span(first: RunEvent, second: RunEvent) -> bool:
    return first.get("span_id") == second.get("span_id") and first.get("parent_id") == second.get("parent_id")


def token_counts(events: Iterable[RunEvent]) -> tuple[int | None, int | None]:
    """Input and output tokens summed over the cycles of a run, at most what their column holds.

    None where the agent reported no usage.
    """
    usages = [event for event in events if event["kind"] == "usage"]
    if not usages:
        return None, None
    input_tokens = sum(usage["input_tokens"] for usage in usages)
    output_tokens = sum(usage["output_tokens"] for usage in usages)
    return min(input_tokens, MOST_TOKENS), min(output_tokens, MOST_TOKENS)


def is_unread(event: RunEvent) -> bool:
    """Tell whether this is something that the reader of the answer did not understand, or how much of that there was
    beyond what is kept.
    """
    return event["kind"] == "other" and event["name"] in {UNREAD, UNREAD_MORE}


def unread_count(events: Iterable[RunEvent]) -> int:
    """How much of an answer was not understood, with what of it is only counted."""
    return sum(_unread_weight(event) for event in events if event["kind"] == "other")


def _unread_weight(event: OtherEvent) -> int:
    if event["name"] != UNREAD_MORE:
        return int(event["name"] == UNREAD)
    count = event["value"].get("count") if isinstance(event["value"], dict) else None
    return count if isinstance(count, int) else 0
