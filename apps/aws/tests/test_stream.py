from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws.stream.parsing import StreamParser
from apps.aws.stream.protocols import agui
from apps.aws.tests.stream_cases.bodies import BODIES
from apps.aws.tests.test_stream_protocols import CASES
from apps.aws.tests.test_stream_shapes import CASES as SHAPES
from apps.aws.tests.wire import SSE, data, merged, parse, text
from loom_events.kinds import RunEvent

KEYS = [
    "event",
    "data",
    "delta",
    "chunk",
    "error",
    "error_type",
    "message",
    "role",
    "content",
    "text",
    "toolUse",
    "toolUseId",
    "toolResult",
    "json",
    "status",
    "input",
    "contentBlockStart",
    "contentBlockDelta",
    "start",
    "metadata",
    "usage",
    "inputTokens",
    "current_tool_use",
    "reasoningContent",
    "messageStop",
    "type",
    "kind",
    "parts",
    "result",
    "jsonrpc",
    "artifact",
    "append",
    "choices",
    "tool_calls",
    "index",
    "id",
    "function",
    "name",
    "arguments",
    "messages",
    "item",
    "response",
    "output",
    "candidates",
    "functionCall",
    "partial",
    "lc",
    "kwargs",
    "tool_call_chunks",
    "ns",
    "isError",
    "errors",
    "detail",
    "contentBlockIndex",
    "node_id",
    "event_kind",
    "part",
    "contents",
    "items",
    "image",
    "source",
    "bytes",
    "__interrupt__",
    "tasks_output",
    "num_turns",
    "body",
    "event_loop_throttled_delay",
    "force_stop",
]
NAMES = [
    *sorted(agui.TYPES),
    "text",
    "content",
    "token",
    "final",
    "error",
    "tool_use",
    "tool_result",
    "thinking",
    "status",
    "ai",
    "tool",
    "human",
    "AIMessageChunk",
    "constructor",
    "response.output_text.delta",
    "response.completed",
    "content_block_delta",
    "task",
    "message",
    "artifact-update",
    "status-update",
    "multiagent_node_stream",
    "multiagent_result",
    "messages",
    "updates",
    "part_delta",
    "part_start",
    "text-delta",
    "on_chat_model_stream",
    "assistant",
    "user",
    "failed",
    "working",
    "1",
    "0",
    '{"text": "a"}',
    'data: {"text": "a"}\n\n',
    "{'data': 'a', 'delta': {}}",
    "AIMessage(content='a')",
    "\ud83d",
    "\ude00",
    "a",
    "ab",
    "abc",
    "null",
]
json_values = st.recursive(
    st.sampled_from(NAMES) | st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud83d\0"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
lines = st.one_of(
    json_values.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n"),
    st.binary(max_size=20),
    st.sampled_from(
        [
            b"\n",
            b"\r\n",
            b"\r",
            b"data:",
            b"data: [DONE]\n",
            b"event: error\n",
            b"event: messages/partial\n",
            b": c\n",
            b"data: {'data': 'a', 'agent': <A object at 0x7f>}\n",
            b"data: null\n\n",
            b"data: word\n\n",
            b'{"text": "a"}\n',
        ]
    ),
)
wires = st.lists(lines, max_size=12).map(b"".join)
content_types = st.sampled_from(
    [
        SSE,
        "text/event-stream",
        "application/json",
        "application/x-ndjson",
        "text/plain",
        "",
        "application/octet-stream",
        "application/problem+json",
        "image/png",
        "text/plain; charset=latin-1",
        "text/event-stream; charset=utf-16",
    ]
)


SAMPLES = [
    *(wire for wire, _ in CASES.values()),
    *(wire for wire, _ in SHAPES.values()),
    *(json.dumps(value).encode() for value, _ in BODIES.values()),
]


def strings_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *strings_in(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from strings_in(inner)


@given(wires, content_types, st.data())
def test_whatever_a_peer_sends_is_read_the_same_in_any_pieces(wire: bytes, kind: str, choice: st.DataObject) -> None:
    """S1-013, S1-060 properties 6 and 7: parsing is total, repeatable and indifferent to chunk limits."""
    expected = parse(wire, content_type=kind)
    cuts = sorted(choice.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]

    assert parse(wire, content_type=kind) == expected
    assert merged(parse(*pieces, content_type=kind)) == merged(expected)
    # What comes out can be stored and sent: strict JSON, in UTF-8, without NUL.
    json.dumps(expected, allow_nan=False, ensure_ascii=False).encode()
    assert not any("\0" in string for event in expected for string in strings_in(event))


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=8), st.data())
def test_what_is_damaged_is_read_all_the_same(
    wire: bytes, damages: list[tuple[int, int]], choice: st.DataObject
) -> None:
    """Every answer of the tables with bytes changed in it: nothing raises, and the pieces do not matter."""
    damaged = bytearray(wire)
    for place, byte in damages:
        damaged[place % len(damaged)] = byte
    cut = choice.draw(st.integers(0, len(damaged)))
    content_type = choice.draw(content_types)
    expected = parse(bytes(damaged), content_type=content_type)

    assert merged(parse(bytes(damaged[:cut]), bytes(damaged[cut:]), content_type=content_type)) == merged(expected)
    json.dumps(expected, allow_nan=False, ensure_ascii=False).encode()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)))
def test_text_that_was_read_reads_the_same_again(texts: list[str]) -> None:
    """S1-013, S1-060 property 6: reading is idempotent, and texts keep their order and every character."""
    framed_again = [piece for piece in texts if not piece.startswith(("data:", "{'"))]
    once = parse(*(data(piece) for piece in framed_again))

    assert once == [text(piece) for piece in framed_again]
    assert parse(*(data(event["text"]) for event in once if event["kind"] == "text")) == once


def count_calls(wire: list[bytes]) -> int:
    """How many functions, Python's and C's, parsing calls: a measure of work that no other load disturbs."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        parse(*wire)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("content_type", [SSE, "application/json"])
def test_a_hundred_thousand_single_bytes_make_one_line(content_type: str) -> None:
    wire = b'data: "' + b"x" * 100_000 + b'"' if content_type == SSE else b'"' + b"x" * 100_000 + b'"'
    events = parse(*(wire[index : index + 1] for index in range(len(wire))), content_type=content_type)

    assert [event["text"] for event in events if event["kind"] in ("text", "json")] == ["x" * 100_000]


def test_the_work_grows_with_the_bytes_and_not_faster() -> None:
    single_bytes = [count_calls([b"x"] * count) for count in (20_000, 40_000)]
    open_lines = [count_calls([b"data: [" + b"\ndata: 1," * count]) for count in (5_000, 10_000)]
    events = [count_calls([data("x") * count]) for count in (5_000, 10_000)]

    for small, large in (single_bytes, open_lines, events):
        assert large <= 2.01 * small


def repeated(count: int) -> dict[str, list[bytes]]:
    """Streams of which each event could be compared with everything before it."""
    numbers = range(count)
    return {
        "whole messages": [data({"agent": {"messages": [{"type": "ai", "content": f"Row {n}."}]}}) for n in numbers],
        "pieces at a path": [data({"text": f"row {n} "}) for n in numbers],
        "the same piece": [data({"text": "ha"})] * count,
        "a path for each": [data({"type": f"kind {n}", "text": "x"}) for n in numbers],
        "artifacts": [data({"artifact": {"artifactId": "a", "parts": [{"text": f" row {n}"}]}}) for n in numbers],
        "messages of AG-UI": [
            data({"type": "TEXT_MESSAGE_CONTENT", "messageId": f"{n}", "delta": "x"}) for n in numbers
        ],
        "reprs": [data(f"{{'data': 'row {n}', 'agent': <A object at 0x7f>}}") for n in numbers],
        "one repr": [data("[" + "{'data': 'x'}, " * count + "]")],
        "not understood": [data({"n": n}) for n in numbers],
        "tools": [data({"type": "tool_use", "id": f"{n}", "name": "x", "input": {}}) for n in numbers],
    }


@pytest.mark.parametrize("name", sorted(repeated(0)))
def test_whatever_is_compared_the_work_grows_with_the_events(name: str) -> None:
    small, large = (count_calls(repeated(count)[name]) for count in (300, 600))

    assert large <= 2.05 * small


def test_ten_megabytes_in_one_chunk() -> None:
    answer = "ü" * 5_000_000

    assert parse(data(answer)) == [text(answer)]


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_an_endless_line_is_given_up_once_and_the_next_event_is_read(size: int) -> None:
    wire = data("a") + b"data: " + b"x" * 500 + b"\ndata: y\n\n" + data("b")
    parser = StreamParser(SSE, max_event_bytes=100)
    events = [event for start in range(0, len(wire), size) for event in parser.feed(wire[start : start + size])]

    assert [*events, *parser.close()] == [
        text("a"),
        {
            "kind": "error",
            "error_type": "EventTooLongError",
            "message": "An event of the answer is longer than 100 bytes and was left out.",
        },
        text("b"),
    ]


def test_an_event_of_endlessly_many_lines_is_given_up() -> None:
    parser = StreamParser(SSE, max_event_bytes=100)
    events = parser.feed(b"data: xxxx\n" * 1_000 + b"\n" + data("b"))

    assert [event["kind"] for event in events] == ["error", "text"]


def test_a_json_body_that_is_too_long_is_given_up() -> None:
    parser = StreamParser("application/json", max_event_bytes=10)

    assert [event["kind"] for event in parser.feed(b'"' + b"x" * 20)] == ["error"]
    assert parser.feed(b"x" * 20) == []
    assert parser.close() == []


NULLS = '{\n  "n": [\n    null,\n    null\n  ]\n}'
UNSTORABLE = '{\n  "a\ufffd": [\n    "\ufffd"\n  ]\n}'
MESSAGE = {"result": {"role": "assistant", "content": [{"text": "a"}, {"toolUse": {}}, {"text": "b"}]}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"result": "ok \xc3\xbc", "n": 1}', [{"kind": "json", "value": {"result": "ok ü", "n": 1}, "text": "ok ü"}]),
        (b'"plain"', [{"kind": "json", "value": "plain", "text": "plain"}]),
        (json.dumps(MESSAGE).encode(), [{"kind": "json", "value": MESSAGE, "text": "ab"}]),
        (b'{"n": [NaN, 1e999]}', [{"kind": "json", "value": {"n": [None, None]}, "text": NULLS}]),
        (rb'{"a\u0000": ["\ud800"]}', [{"kind": "json", "value": {"a\ufffd": ["\ufffd"]}, "text": UNSTORABLE}]),
        (b"null", [{"kind": "json", "value": None, "text": "null"}]),
        (b"not json", [text("not json")]),
        (b" \n", []),
        (b"", []),
        (b"[" * 5_000 + b"]" * 5_000, [text("[" * 5_000 + "]" * 5_000)]),
        (b"[" * 300 + b"]" * 300, [text("[" * 300 + "]" * 300)]),
        (b"9" * 5_000, [text("9" * 5_000)]),
    ],
)
def test_a_json_body_is_one_value(body: bytes, expected: list[RunEvent]) -> None:
    """S1-057: an answer that is not streamed, with the obvious answer in it."""
    assert parse(body, content_type="application/json") == expected


def test_a_plain_body_is_text_as_it_comes() -> None:
    parser = StreamParser("text/plain")

    assert parser.feed("aü".encode()[:2]) == [text("a")]
    assert parser.feed("aü".encode()[2:]) == [text("ü")]
    assert parser.close() == []


def test_events_come_with_the_bytes_that_complete_them() -> None:
    """S0-052: nothing waits for a later chunk."""
    parser = StreamParser(SSE)

    assert parser.feed(b'data: "a"\n') == [text("a")]
    assert parser.feed(b"data: b\n") == []
    assert parser.feed(b"\n") == [text("b")]


def test_a_closed_parser_stays_closed() -> None:
    parser = StreamParser(SSE)
    parser.feed(b'data: "a"')

    assert parser.close() == [text("a")]
    assert parser.close() == []
    with pytest.raises(ValueError, match="closed"):
        parser.feed(b"x")
