from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.emulator.logs.patterns import FilterPatternError, compile_pattern

SDK_LINE = json.dumps(
    {
        "level": "ERROR",
        "message": "Error in sync streaming",
        "sessionId": "f07e0b11-3090-4d01-98b7-ad8eaf4a93fd",
        "elapsed": 1.5,
        "retried": False,
        "cause": None,
        "tags": ["a", "b"],
        "user": {"name": "alice"},
    }
)


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR] disk full", True),
        ("error", "[ERROR] disk full", False),
        ("disk ERROR", "[ERROR] disk full", True),
        ("disk network", "[ERROR] disk full", False),
        ('"disk full"', "[ERROR] disk full", True),
        ('"full disk"', "[ERROR] disk full", False),
        ('"a-b" "c-d"', "c-d then a-b", True),
        (r'"say \"hi\""', 'they say "hi" twice', True),
        ("?WARN ?ERROR", "[ERROR] disk full", True),
        ("?WARN ?INFO", "[ERROR] disk full", False),
        ("?WARN ?INFO disk", "[ERROR] disk full", True),
        ("ERROR -disk", "[ERROR] disk full", False),
        ("ERROR -network", "[ERROR] disk full", True),
        ('-"disk full"', "[ERROR] disk full", False),
        ("%dis[ck] f%", "[ERROR] disk full", True),
        ("%^disk%", "[ERROR] disk full", False),
        ("%net|disk%", "[ERROR] disk full", True),
        (r"%\[ERROR\]\s\w+\sf[u-x]l{2}$%", "[ERROR] disk full", True),
        (r"%\x64isk%", "[ERROR] disk full", True),
        (r"%127\.0\.0\.[1-9]%", "127.0.0.7 said so", True),
        (r"%127\.0\.0\.[1-9]%", "127x0.0.7 said so", False),
        ("%[[a]%", "an a", True),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.level = "ERROR" }', True),
        ('{ $.level = "INFO" }', False),
        ("{ $.level = ERROR }", True),
        ('{ $.level != "INFO" }', True),
        ('{ $.missing != "INFO" }', False),
        ('{ $.message = "Error*streaming" }', True),
        ('{ $.message = "Error" }', False),
        ("{ $.message = %sync% }", True),
        ('{ $.sessionId = "f07e0b11-3090-4d01-98b7-ad8eaf4a93fd" }', True),
        ("{ $.elapsed > 1 }", True),
        ("{ $.elapsed >= 1.5 && $.elapsed < 2 }", True),
        ("{ $.elapsed = 1.5 }", True),
        ("{ $.level > 1 }", False),
        ("{ $.retried IS FALSE }", True),
        ("{ $.retried IS TRUE }", False),
        ("{ $.cause IS NULL }", True),
        ("{ $.cause NOT EXISTS }", False),
        ("{ $.missing NOT EXISTS }", True),
        ('{ $.user.name = "alice" }', True),
        ('{ $.tags[1] = "b" }', True),
        ('{ $.tags[2] = "b" }', False),
        ("{ $['level'] = \"ERROR\" }", True),
        ('{ $.level = "INFO" || $.user.name = "alice" }', True),
        ('{ ($.level = "INFO" || $.level = "ERROR") && $.user.name = "bob" }', False),
        ('{ $.level = "ERROR" || $.level = "INFO" && $.user.name = "bob" }', True),
    ],
)
def test_json_conditions(pattern: str, expected: bool) -> None:
    assert compile_pattern(pattern)(SDK_LINE) is expected


def test_as_many_parentheses_as_anyone_needs_are_taken() -> None:
    matches = compile_pattern("{ " + "(" * 50 + '$.level = "ERROR"' + ")" * 50 + ' && ($.user.name = "alice") }')

    assert matches(SDK_LINE)


def test_a_line_of_any_depth_is_looked_at() -> None:
    matches = compile_pattern('{ $.level = "ERROR" }')

    assert not matches('{"level": ' + "[" * 100_000)


def test_a_json_condition_matches_no_line_that_is_not_an_object() -> None:
    matches = compile_pattern('{ $.level = "ERROR" }')

    assert [matches(line) for line in ("ERROR", '"ERROR"', "[1]", "{broken")] == [False, False, False, False]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a-b-c", r"Invalid character\(s\) in term 'a-b-c'"),
        ('"open', "Invalid filter pattern"),
        ("%[%", "Invalid regex filter pattern"),
        ("{ $.a = }", "Invalid filter pattern"),
        ("{ $.a = 1", "Invalid filter pattern"),
        ("{ a = 1 }", "Invalid filter pattern"),
        ("{ $.a = 1 } x", "Invalid filter pattern"),
        ("{ $.a IS MAYBE }", "Invalid filter pattern"),
        ("[ip, user]", "Invalid filter pattern"),
        # "%something!% would be rejected", and "you cannot use parentheses to define a subpattern".
        ("%something!%", "Invalid regex filter pattern"),
        ("%(a)%", "Invalid regex filter pattern"),
        ("%(a|b)%", "Invalid regex filter pattern"),
        ("%(?i)error%", "Invalid regex filter pattern"),
        ("%a(?=b)%", "Invalid regex filter pattern"),
        ("%übel%", "Invalid regex filter pattern"),
        ("%\\b%", "Invalid regex filter pattern"),
        ("%\\1%", "Invalid regex filter pattern"),
        ("%a{99999999999}%", "Invalid regex filter pattern"),
        ("%*a%", "Invalid regex filter pattern"),
        ("{ $.level = %(E)% }", "Invalid regex filter pattern"),
        ("{ $.a = %a% || $.b = %b% || $.c = %c% }", "more than 2 regular expressions"),
        ("{ " + "(" * 400 + "$.a = 1" + ")" * 400 + " }", "more than 50 parentheses in each other"),
        ("{ " + "(" * 1000, "more than 50 parentheses in each other"),
    ],
)
def test_a_pattern_that_the_service_refuses(pattern: str, message: str) -> None:
    with pytest.raises(FilterPatternError, match=message):
        compile_pattern(pattern)


@given(pattern=st.text(alphabet='{}$.[]"%?-=<>!&|() abAB01\\_', max_size=40), message=st.text(max_size=40))
def test_any_pattern_is_refused_or_decides(pattern: str, message: str) -> None:
    try:
        decision = compile_pattern(pattern)(message)
    except FilterPatternError:
        return
    assert decision in (True, False)


@given(value=st.text(max_size=30), other=st.text(max_size=30))
def test_an_equality_holds_for_exactly_that_value(value: str, other: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    if "*" in value:
        return
    matches = compile_pattern(f'{{ $.x = "{escaped}" }}')

    assert matches(json.dumps({"x": value}))
    assert matches(json.dumps({"x": other})) is (value == other)
