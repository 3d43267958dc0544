"""What agents of each protocol and framework send, and what a reader should see of it."""

from __future__ import annotations

import json

import pytest

from apps.aws.tests.stream_cases.bodies import BODIES
from apps.aws.tests.stream_cases.frameworks import FRAMEWORKS
from apps.aws.tests.stream_cases.hosted import HOSTED
from apps.aws.tests.stream_cases.interfaces import A2A, AGUI, MCP
from apps.aws.tests.stream_cases.langchain import LANGCHAIN
from apps.aws.tests.stream_cases.models import ANTHROPIC, GOOGLE, OPENAI
from apps.aws.tests.stream_cases.strands import STRANDS
from apps.aws.tests.stream_cases.toolkits import TOOLKITS
from apps.aws.tests.wire import Told, merged, parse, told

JSON = "application/json"

CASES = {
    f"{name}: {case}": vector
    for name, vectors in (
        ("AG-UI", AGUI),
        ("A2A", A2A),
        ("MCP", MCP),
        ("Google", GOOGLE),
        ("OpenAI", OPENAI),
        ("Anthropic", ANTHROPIC),
        ("Strands", STRANDS),
        ("LangChain", LANGCHAIN),
        ("frameworks", FRAMEWORKS),
        ("toolkits", TOOLKITS),
        ("hosted", HOSTED),
    )
    for case, vector in vectors.items()
}
BY_NAME = {"LangChain: the events of a platform, each message whole so far"}  # of their server-sent events


@pytest.mark.parametrize(("wire", "expected"), CASES.values(), ids=CASES.keys())
def test_what_a_protocol_says_is_told_whole_and_once(wire: bytes, expected: Told) -> None:
    assert told(parse(wire)) == expected


@pytest.mark.parametrize("wire", [vector[0] for vector in CASES.values()], ids=CASES.keys())
def test_a_protocol_may_be_cut_anywhere(wire: bytes) -> None:
    assert merged(parse(*(wire[index : index + 1] for index in range(len(wire))))) == merged(parse(wire))


@pytest.mark.parametrize(("value", "expected"), BODIES.values(), ids=BODIES.keys())
def test_a_body_is_kept_with_its_text_beside_it(value: object, expected: Told) -> None:
    events = parse(json.dumps(value).encode(), content_type=JSON)

    assert told(events) == expected
    assert [event["value"] for event in events if event["kind"] == "json"] == [value]


@pytest.mark.parametrize("case", sorted(CASES.keys() - BY_NAME))
def test_a_protocol_is_the_same_line_by_line(case: str) -> None:
    """The same values as JSON line by line, where a server frames no events."""
    wire, expected = CASES[case]
    lines = [
        line.removeprefix(b"data: ")
        for line in wire.split(b"\n")
        if line.startswith(b"data: {") or line.startswith(b"data: [")
    ]
    body = b"\n".join(line for line in lines if line != b"[DONE]")

    assert told(parse(body, content_type="application/x-ndjson")) == expected
