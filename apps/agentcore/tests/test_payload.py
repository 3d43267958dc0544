from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.agentcore.payload import TEMPLATES, build_payload, read_template, template_in_use
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
    assert json.loads(build_payload(template, 'say "hi"', "id")) == expected


@given(st.text())
def test_no_prompt_changes_the_structure_of_the_body(prompt: str) -> None:
    body = json.loads(build_payload({"prompt": "{{prompt}}", "safe": [1]}, prompt, "id"))

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
        (f'["{{{{prompt}}}}", {"9" * 5000}]', "It holds a number of more than 4,300 digits. Write it as a string."),
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


def test_placeholders_stand_in_whole_values_and_in_parts_of_them() -> None:
    template = {
        "a": "{{session_id}}",
        "b": ["s={{ session_id }}, p={{prompt}}"],
        "c": "{{uuid}} {{uuid}}",
        "{x}": "{y}",
    }

    body = json.loads(build_payload(template, '{{uuid}} {{session_id}} \\1 "', "run-1"))
    first, second = map(uuid.UUID, body.pop("c").split())
    assert first != second
    assert body == {"a": "run-1", "b": ['s=run-1, p={{uuid}} {{session_id}} \\1 "'], "{x}": "{y}"}


@given(st.text())
def test_no_session_id_and_no_prompt_is_read_again(text: str) -> None:
    assert json.loads(build_payload(["{{prompt}}", "{{session_id}}"], text, text)) == [text, text]


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            {"a": "{{prompt}} {{session}}"},
            "{{session}} is unknown. Loom fills in {{prompt}} (what is asked), {{session_id}} (",
        ),
        ({"a": "{{prompt}}", "b": [{"c": "{{UUID}}"}]}, "{{UUID}} is unknown."),
        ({"a": "{{Prompt}}"}, "{{Prompt}} is unknown."),
        ({"a": "{{}} {{prompt}}"}, "{{}} is unknown."),
        ({"a": "{{prompt}}", "{{uuid}}": 1}, "{{uuid}} stands in a key, where it is not replaced."),
        ({"a": "{{session_id}}"}, "{{prompt}} is in no value of it"),
    ],
)
def test_a_placeholder_that_nobody_knows_is_refused_with_those_there_are(template: Any, problem: str) -> None:
    with pytest.raises(PayloadError) as caught:
        read_template(json.dumps(template))

    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_that_is_offered_can_be_kept_and_is_filled_in_whole(name: str) -> None:
    assert read_template(json.dumps(TEMPLATES[name])) == TEMPLATES[name]

    body = build_payload(TEMPLATES[name], "Two days?", "session-1")
    assert "{{" not in body and "Two days?" in body


@pytest.mark.parametrize(
    ("protocol", "method"),
    [("HTTP", None), ("A2A", "message/send"), ("MCP", "tools/call"), ("AGUI", None), ("NEW", None)],
)
def test_the_template_that_nobody_changed_is_that_of_the_protocol(protocol: str, method: str | None) -> None:
    template = template_in_use({"prompt": "{{prompt}}"}, protocol)

    assert template == TEMPLATES.get(protocol, {"prompt": "{{prompt}}"})
    assert template.get("method") == method
    assert template_in_use({"input": "{{prompt}}"}, protocol) == {"input": "{{prompt}}"}


def test_bodies_of_the_protocols_are_what_their_specifications_ask_for() -> None:
    bodies = {name: json.loads(build_payload(template, "Hi", "s-1")) for name, template in TEMPLATES.items()}

    assert bodies["HTTP"] == {"prompt": "Hi"}
    message = bodies["A2A, streamed"]["params"]["message"]
    assert (message["role"], message["parts"]) == ("user", [{"kind": "text", "text": "Hi"}])
    assert bodies["A2A"]["id"] != bodies["A2A"]["params"]["message"]["messageId"]
    assert bodies["MCP"]["params"]["arguments"] == {"prompt": "Hi"}
    assert bodies["AGUI"]["threadId"] == "s-1" and bodies["AGUI"]["messages"][0]["content"] == "Hi"
    assert set(bodies["AGUI"]) == {"threadId", "runId", "state", "messages", "tools", "context", "forwardedProps"}
