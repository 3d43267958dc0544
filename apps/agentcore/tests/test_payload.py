from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.agentcore.payload import build_payload, read_template
from apps.agents.payload import PayloadError, check_payload

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({"prompt": "{{prompt}}"}, {"prompt": 'say "hi"'}),
        ({"input": {"text": "Q: {{prompt}}!", "n": 3}}, {"input": {"text": 'Q: say "hi"!', "n": 3}}),
        ([{"content": ["{{prompt}}"]}, None, True], [{"content": ['say "hi"']}, None, True]),
        ("{{prompt}}", 'say "hi"'),
        ({"fixed": 1}, {"fixed": 1}),
    ],
)  # fmt: skip
def test_the_prompt_stands_where_the_template_says(template: Any, expected: Any) -> None:
    assert json.loads(build_payload(template, 'say "hi"')) == expected


@given(st.text())
def test_no_prompt_changes_the_structure_of_the_body(prompt: str) -> None:
    body = json.loads(build_payload({"prompt": "{{prompt}}", "safe": [1]}, prompt))

    assert body == {"prompt": prompt, "safe": [1]}


@given(JSON)
def test_a_template_is_any_json_with_the_placeholder_in_a_string(value: Any) -> None:
    template = {"messages": [value, {"text": "Q: {{prompt}}"}]}

    assert read_template(json.dumps(template)) == template
    assert check_payload(json.dumps(value)) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"prompt": "{{prompt}}"', "It is not JSON: Expecting ',' delimiter (line 1, column 24)."),
        ("{{prompt}}", "It is not JSON: Expecting property name enclosed in double quotes (line 1, column 2)."),
        ("", "It is not JSON: Expecting value (line 1, column 1)."),
        ('{"p": "{{prompt}}", "t": NaN}', "It is not JSON: NaN is no number there. Write null, or a string."),
        ('["{{prompt}}\\u0000"]', "It holds a NUL character, which cannot be stored. Remove \\u0000."),
        ('["{{prompt}}\\ud800"]', "It holds half of a surrogate pair, which is no character."),
        ("[" * 51 + '"{{prompt}}"' + "]" * 51, "It is nested more than 50 deep."),
        ("[" * 5000 + "]" * 5000, "It is nested more than 50 deep."),
        ('"{{prompt}}' + "x" * 20_000 + '"', "It has 20,012 characters; at most 20,000 are taken."),
    ],
)
def test_what_is_no_template_is_said_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(PayloadError) as caught:
        read_template(text)

    assert str(caught.value) == problem


@pytest.mark.parametrize("text", ["1", '"prompt"', '{"{{prompt}}": 1}', '{"prompt": "{prompt}"}', "[]"])
def test_a_template_without_the_placeholder_in_a_value_is_refused(text: str) -> None:
    with pytest.raises(PayloadError, match="no prompt would reach the agent"):
        read_template(text)


def test_a_body_is_passed_on_as_it_was_written() -> None:
    body = '{ "a":1.0,\n "ü": [] }'

    assert check_payload(body) == body
    with pytest.raises(PayloadError, match="not JSON"):
        check_payload("a: 1")
