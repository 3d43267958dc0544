"""The tools of two runs, one beside the other."""

from __future__ import annotations

import json
from typing import Any

from apps.overview.comparing.tools import MOST_CALLS, Call, aligned, calls_of
from apps.overview.tests.test_comparing import tool


def call(name: str, value: str = "") -> Call:
    return Call(name, value, "success")


def verdicts(first: list[Call], second: list[Call]) -> list[tuple[str, str]]:
    return [(pair.name, pair.verdict) for pair in aligned(first, second).pairs]


def test_calls_are_aligned_by_tool_and_input() -> None:
    first = [call("plan"), call("search", "a"), call("search", "b"), call("book", "x")]
    second = [call("search", "b"), call("weather"), call("book", "y")]

    assert verdicts(first, second) == [
        ("plan", "first"), ("search", "first"), ("search", "same"), ("weather", "second"), ("book", "input"),
    ]  # fmt: skip
    assert verdicts([call("search", "a")], [call("search", "b")]) == [("search", "input")]
    assert verdicts([], []) == []


def test_of_very_many_calls_the_first_are_compared() -> None:
    many = [call("search", str(number)) for number in range(MOST_CALLS + 5)]
    found = aligned(many, many[: MOST_CALLS + 1])

    assert (found.is_cut, found.is_same, len(found.pairs)) == (True, True, MOST_CALLS)


def test_inputs_are_the_same_whatever_the_order_of_their_keys() -> None:
    events: Any = [*tool(1, "search", '{"b":1,  "a":2}'), *tool(2, "raw", "no json {")]
    found = calls_of(events)

    assert [(one.name, one.status) for one in found] == [("search", "success"), ("raw", "success")]
    assert (json.loads(found[0].input), found[1].input) == ({"a": 2, "b": 1}, "no json {")
    assert found[0].input.index('"a"') < found[0].input.index('"b"')
