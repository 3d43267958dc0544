from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

from loom_events.fold import UNREAD, UNREAD_MORE, answer_text, merge_text, token_counts, unread_count
from loom_events.kinds import JsonValue, RunEvent, Spanned, TextEvent
from loom_events.recorded import RecordedEvent


def text(value: str) -> TextEvent:
    return {"kind": "text", "text": value}


def inner(value: str, span_id: str) -> TextEvent:
    return {"kind": "text", "text": value, "span_id": span_id, "parent_id": "t1"}


def test_neighbouring_text_becomes_one_event_and_order_is_kept() -> None:
    tool: RunEvent = {"kind": "tool", "tool_use_id": "t1", "name": "add", "span_id": "t1"}
    events: list[RunEvent] = [text("Hel"), text("l"), text("o"), tool, text("!")]

    assert merge_text(events) == [text("Hello"), tool, text("!")]
    assert events[0] == text("Hel")  # what was given is not changed
    assert (merge_text([]), merge_text([tool])) == ([], [tool])


def test_text_of_another_span_stays_apart() -> None:
    events = [text("a"), inner("b", "one"), inner("c", "one"), inner("d", "two"), text("e"), text("f")]

    assert merge_text(events) == [text("a"), inner("bc", "one"), inner("d", "two"), text("ef")]
    elsewhere: TextEvent = {"kind": "text", "text": "g", "span_id": "one", "parent_id": "t2"}
    assert merge_text([inner("b", "one"), elsewhere]) == [inner("b", "one"), elsewhere]


def test_the_answer_is_the_text_in_order_without_what_is_said_inside_a_span() -> None:
    events: list[RunEvent] = [
        {"kind": "invoked", "at": "2026-11-20T10:00:00+00:00", "attempt": 1},
        text("a"),
        inner("not said", "one"),
        {"kind": "reasoning", "text": "not said"},
        {"kind": "json", "value": {"result": "b"}, "text": "b"},
        {"kind": "text", "text": "c", "span_id": "turn-2"},
    ]

    assert answer_text(events) == "abc"


def test_tokens_are_summed_over_cycles_and_unknown_without_usage() -> None:
    usage: RunEvent = {"kind": "usage", "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    vast: RunEvent = {"kind": "usage", "input_tokens": 2**40, "output_tokens": 0, "total_tokens": 2**40}

    assert token_counts([usage, text("x"), usage]) == (20, 10)
    assert token_counts([text("x")]) == (None, None)
    assert token_counts([usage, vast]) == (2**31 - 1, 5)


def test_the_documentation_of_the_api_lists_every_kind_with_its_fields() -> None:
    page = Path(__file__).parents[3] / "docs" / "api.md"
    rows = re.findall(r"^\| (`\w+`) \| (`\w+`(?:, `\w+`)*) \| .+ \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    fields = {kind: get_type_hints(kind).keys() - {"kind", *Spanned.__annotations__} for kind in get_args(RunEvent)}

    assert {kind.strip("`"): set(re.findall(r"\w+", names)) for kind, names in rows} == {
        get_args(get_type_hints(kind)["kind"])[0]: names for kind, names in fields.items()
    }


def test_each_kind_is_recorded_with_its_own_fields_and_a_place() -> None:
    """Both unions list every kind, in the same order."""
    kinds, recorded = get_args(RunEvent), get_args(RecordedEvent)

    assert len({get_type_hints(kind)["kind"] for kind in kinds}) == len(kinds) == 20
    assert [get_type_hints(kind) for kind in recorded] == [
        {**get_type_hints(kind), "seq": int, "offset_ms": float} for kind in kinds
    ]


def other(name: str, value: JsonValue) -> RunEvent:
    return {"kind": "other", "name": name, "value": value}


def test_what_was_not_understood_is_counted_with_what_is_only_counted() -> None:
    events = [text("a"), other(UNREAD, {"count": 9}), other(UNREAD, "b"), other("state", {"count": 7})]

    assert unread_count(events) == 2
    assert unread_count([*events, other(UNREAD_MORE, {"count": 40})]) == 42
    odd: list[JsonValue] = [None, [1], {"count": "x"}, {}]
    assert unread_count([other(UNREAD_MORE, value) for value in odd]) == 0
