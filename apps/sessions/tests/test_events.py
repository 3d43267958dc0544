from __future__ import annotations

from apps.sessions.events import Event, answer_text, merge_text, token_counts


def test_neighbouring_text_becomes_one_event_and_order_is_kept() -> None:
    events = [
        {"kind": "text", "text": "Hel"},
        {"kind": "text", "text": "lo"},
        {"kind": "tool", "tool_use_id": "t1", "name": "add"},
        {"kind": "text", "text": "!"},
    ]

    merged = merge_text(events)

    assert merged == [{"kind": "text", "text": "Hello"}, events[2], events[3]]
    assert events[0] == {"kind": "text", "text": "Hel"}  # what was given is not changed


def test_the_answer_is_the_text_in_order() -> None:
    events: list[Event] = [
        {"kind": "invoked"},
        {"kind": "text", "text": "a"},
        {"kind": "reasoning", "text": "not said"},
        {"kind": "json", "value": {"result": "b"}, "text": "b"},
    ]

    assert answer_text(events) == "ab"


def test_tokens_are_summed_over_cycles_and_unknown_without_usage() -> None:
    usage = {"kind": "usage", "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}

    assert token_counts([usage, {"kind": "text", "text": "x"}, usage]) == (20, 10)
    assert token_counts([{"kind": "text", "text": "x"}]) == (None, None)
