"""Two hundred planted answers, right and wrong ones, and what may be asked of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from apps.core.exceptions import InvalidInputError
from apps.metrics.checks.deciding import Answer, Finding, checked, decide, tool_calls
from apps.metrics.checks.patterns import MAX_TEXT, search_all
from apps.metrics.checks.schemas import problem_of

PLACES = ["Ghent", "Bruges", "Zürich", "東京", "São Paulo", "O'Fallon", "a.b", "50 %", "\\d", "<b>x</b>"]
SCHEMA = {
    "type": "object",
    "required": ["city", "days"],
    "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "additionalProperties": False,
}


def events(name: str, arguments: str) -> list[Any]:
    """A tool call whose input comes in two pieces, as it does."""
    call = {"tool_use_id": "t-1"}
    pieces = [{"kind": "tool", "name": name, **call}]
    pieces += [{"kind": "tool_input", "text": text, **call} for text in (arguments[:3], arguments[3:])]
    return [{"seq": seq, "offset_ms": 0.0, **event} for seq, event in enumerate(pieces, 1)]


def planted() -> list[tuple[str, dict[str, Any], Answer, bool]]:
    """What is wanted, an answer, and whether that is right: twenty for each place."""
    found: list[tuple[str, dict[str, Any], Answer, bool]] = []
    for number, place in enumerate(PLACES):
        other = PLACES[(number + 1) % len(PLACES)]
        says, says_other = Answer(f"Go to {place}, two days."), Answer(f"Go to {other}, two days.")
        contains = {"kind": "contains", "text": place}
        loud = {**contains, "text": place.upper(), "is_case_sensitive": False}
        exact = {"kind": "regex", "pattern": r"\btwo (days|nights)\.\Z"}
        tool = {"kind": "tool_called", "name": "book", "arguments": {"to": {"city": place}}}
        booked = json.dumps({"to": {"city": place, "days": 2}, "by": "train"})
        trip = json.dumps({"city": place, "days": number % 9 + 1}, ensure_ascii=False)
        found += [
            ("contains", contains, says, True),
            ("contains other", contains, says_other, False),
            ("negated", {**contains, "is_negated": True}, says, False),
            ("negated other", {**contains, "is_negated": True}, says_other, True),
            ("any case", loud, says, place.upper().casefold() == place.casefold()),
            ("regex", exact, says, True),
            ("regex other", exact, Answer(f"Go to {place}, three days."), False),
            ("regex case", {**exact, "pattern": "TWO DAYS", "is_case_sensitive": False}, says, True),
            ("schema", {"kind": "json_schema", "schema": SCHEMA}, Answer(trip), True),
            ("schema in a block", {"kind": "json_schema", "schema": SCHEMA}, Answer(f"```json\n{trip}\n```"), True),
            ("schema in words", {"kind": "json_schema", "schema": SCHEMA}, Answer(f"Here: {trip}"), False),
            ("schema type", {"kind": "json_schema", "schema": SCHEMA}, Answer(trip.replace(": ", ': "x', 1)), False),
            ("tool", tool, Answer("", events("book", booked)), True),
            ("tool arguments", tool, Answer("", events("book", booked.replace("city", "town"))), False),
            ("other tool", tool, Answer("", events("look", booked)), False),
            ("no tool", {"kind": "tool_called", "name": "book"}, says, False),
            ("ttft", {"kind": "max_ttft", "ms": 900}, Answer("", ttft_ms=900.0 - number), True),
            ("ttft late", {"kind": "max_ttft", "ms": 900}, Answer("", ttft_ms=900.1 + number), False),
            ("cost", {"kind": "max_cost", "usd": "0.01"}, Answer("", cost_usd=Decimal("0.01")), True),
            ("cost high", {"kind": "max_cost", "usd": "0.01"}, Answer("", cost_usd=Decimal("0.010001")), False),
        ]
    return found


def test_two_hundred_planted_answers_are_all_decided_right() -> None:
    table = planted()
    wrong = [
        (name, place)
        for at, (name, check, answer, is_right) in enumerate(table)
        for place in [PLACES[at // 20]]
        if decide(checked([check]), answer)[0].has_passed != is_right
    ]

    assert (len(table), wrong) == (200, [])


def test_what_cannot_be_decided_has_not_passed_and_says_why() -> None:
    checks: list[dict[str, Any]] = [
        {"kind": "max_ttft", "ms": 1},
        {"kind": "max_cost", "usd": 1},
        {"kind": "regex", "pattern": "a"},
    ]

    assert decide(checks, Answer("a" * (MAX_TEXT + 1))) == [
        Finding("max_ttft", False, "no first token is known"),
        Finding("max_cost", False, "its cost is not known"),
        Finding("regex", False, "the pattern took too long, or the answer is too long for it"),
    ]


@pytest.mark.slow("gives a pattern that never ends its two seconds of the processor")
def test_a_pattern_that_never_ends_is_ended_and_takes_no_other_with_it() -> None:
    asked = [("b", True), (r"(a+)+$", True), ("a", True)]

    assert search_all(asked, "a" * 60 + "b!") == [True, None, None]
    assert search_all([], "x") == []


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        ("contains", "its kind has to be one of"),
        ({"kind": "is"}, "its kind has to be one of"),
        ({"kind": "contains"}, "it has no text"),
        ({"kind": "contains", "text": ""}, "its text has to be a text"),
        ({"kind": "contains", "text": "a", "pattern": "b"}, "it has a pattern, which contains does not know"),
        ({"kind": "contains", "text": "a", "is_negated": 1}, "have to be true or false"),
        ({"kind": "regex", "pattern": "("}, "its pattern is none"),
        ({"kind": "regex", "pattern": "a" * 1001}, "at most 1000 characters"),
        ({"kind": "json_schema", "schema": {"pattern": "a"}}, "schema.pattern is not among what Loom checks"),
        ({"kind": "json_schema", "schema": {"properties": {"a": {"$ref": "#"}}}}, "schema.properties.a.$ref"),
        ({"kind": "json_schema", "schema": {"type": "date"}}, "schema.type is no type of JSON"),
        ({"kind": "tool_called", "name": "a", "arguments": []}, "its arguments have to be an object"),
        ({"kind": "max_ttft", "ms": -1}, "its limit has to be a number above 0"),
        ({"kind": "max_cost", "usd": "NaN"}, "its limit has to be a number above 0"),
        ({"kind": "max_cost", "usd": True}, "its limit has to be a number above 0"),
        ({"kind": "contains", "text": "a" * 10_001}, "it is longer than 10,000 characters"),
    ],
)
def test_what_is_no_check_is_refused_by_its_number(check: Any, problem: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        checked([{"kind": "contains", "text": "a"}, check])

    assert str(refused.value).startswith("Check 2 cannot be used: ") and problem in str(refused.value)


def test_tools_that_run_at_once_keep_their_inputs_apart() -> None:
    interleaved: list[Any] = [
        {"kind": "tool", "tool_use_id": "a", "name": "one"}, {"kind": "tool", "tool_use_id": "b", "name": "two"},
        {"kind": "tool_input", "tool_use_id": "b", "text": "2"},
        {"kind": "tool_input", "tool_use_id": "a", "text": "1"},
    ]  # fmt: skip

    assert [(call.name, call.input) for call in tool_calls(interleaved)] == [("one", "1"), ("two", "2")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
NAMES = ["null", "boolean", "object", "array", "string", "number", "integer"]


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(NAMES) | st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True),
            "enum": st.lists(JSON, min_size=1, max_size=2), "const": JSON, "not": inner, "items": inner,
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2), "additionalProperties": inner,
            "required": st.lists(st.sampled_from("ab"), max_size=2, unique=True), "allOf": some, "anyOf": some,
            "oneOf": some, "minLength": st.integers(0, 2), "maxItems": st.integers(0, 2),
            "minProperties": st.integers(0, 2), "minimum": st.integers(-2, 2), "exclusiveMaximum": st.integers(-2, 2),
        },
    )  # fmt: skip


@given(JSON, st.recursive(st.booleans(), _schemas, max_leaves=4))
def test_a_schema_means_what_it_means_elsewhere(value: Any, schema: Any) -> None:
    assert (problem_of(value, schema) is None) == Draft202012Validator(schema).is_valid(value)
