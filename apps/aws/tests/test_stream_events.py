from __future__ import annotations

import pytest

from apps.aws.tests.wire import data, merged, parse, text
from loom_events.kinds import ErrorEvent, RunEvent, UsageEvent

BOOM: ErrorEvent = {"kind": "error", "error_type": "ValueError", "message": "boom"}
USAGE: UsageEvent = {"kind": "usage", "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
DELTA = {"event": {"contentBlockDelta": {"delta": {"text": "Hel"}}}}
REPR = "{'data': 'Hel', 'delta': {'text': 'Hel'}, 'event_loop_cycle_id': UUID('1'), 'agent': <A object at 0x7f>}"

VECTORS: list[tuple[str, bytes, list[RunEvent]]] = [
    ("strings", b'data: "Hel"\n\ndata: "lo \\"w\\" \xc3\xbcn\xc3\xaf\\n"\n\n', [text("Hel"), text('lo "w" ünï\n')]),
    ("a delta and its repr", data(DELTA) + data(REPR), [text("Hel")]),
    ("the final repr", data("{'result': AgentResult(stop_reason='end_turn')}"), []),
    ("a text that only looks like a dictionary", data("{'data': 1}"), [text("{'data': 1}")]),
    (
        "a tool",
        data({"event": {"contentBlockStart": {"start": {"toolUse": {"name": "add", "toolUseId": "tooluse_1"}}}}})
        + data({"event": {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"a": '}}}}}),
        [
            {"kind": "tool", "tool_use_id": "tooluse_1", "name": "add", "span_id": "tooluse_1"},
            {"kind": "tool_input", "tool_use_id": "tooluse_1", "text": '{"a": ', "span_id": "tooluse_1"},
        ],
    ),
    (
        "a tool's result",
        data(
            {
                "message": {
                    "role": "user",
                    "content": [
                        {
                            "toolResult": {
                                "toolUseId": "t1",
                                "status": "error",
                                "content": [{"text": "x"}, {"json": {"n": 1}}],
                            }
                        }
                    ],
                }
            }
        ),
        [{"kind": "tool_result", "tool_use_id": "t1", "status": "error", "text": 'x\n{"n": 1}', "span_id": "t1"}],
    ),
    (
        "a tool without an id",
        data({"event": {"contentBlockStart": {"start": {"toolUse": {"name": "add"}}}}})
        + data({"event": {"contentBlockDelta": {"delta": {"toolUse": {"input": "1"}}}}})
        + data({"message": {"role": "user", "content": [{"toolResult": {"content": [{"text": "2"}]}}]}}),
        [
            {"kind": "tool", "tool_use_id": "", "name": "add"},
            {"kind": "tool_input", "tool_use_id": "", "text": "1"},
            {"kind": "tool_result", "tool_use_id": "", "status": "success", "text": "2"},
        ],
    ),
    (
        "usage of two cycles",
        data({"event": {"metadata": {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}}}}) * 2,
        [USAGE, USAGE],
    ),
    (
        "usage that makes no sense",
        data({"event": {"metadata": {"usage": {"inputTokens": -1, "outputTokens": True, "totalTokens": "x"}}}}),
        [{"kind": "usage", "input_tokens": 0, "output_tokens": 0, "total_tokens": 0}],
    ),
    (
        "reasoning and stop",
        data({"event": {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "hm"}}}}})
        + data({"event": {"messageStop": {"stopReason": "end_turn"}}}),
        [{"kind": "reasoning", "text": "hm"}, {"kind": "stop", "reason": "end_turn"}],
    ),
    (
        "an error in mid-stream",
        data("before")
        + b'data: {"error": "boom", "error_type": "ValueError", "message": "An error occurred during streaming"}',
        [text("before"), BOOM],
    ),
    ("an error without a type", data({"error": "x"}), [{"kind": "error", "error_type": "AgentError", "message": "x"}]),
    ("an error that is none", data({"error": None, "data": "x"}), [text("x")]),
    ("nothing", b'data: null\n\ndata: ""\n\n\n\n: comment\nevent: x\nid: 7\nretry: 5\n\ndata\n\ndata:\n\n', []),
    ("no blank after the colon", b'data:"a"\n\n', [text("a")]),
    ("a line end of Windows", b'data: "a"\r\n\r\ndata: b\r\n\r\n', [text("a"), text("b")]),
    ("a byte order mark", b'\xef\xbb\xbfdata: "a"\n\n', [text("a")]),
    ("plain text", b"data: Hello \n\ndata:  world\n\n", [text("Hello "), text(" world")]),
    ("plain text in two lines", b"data: a\ndata: b\n\n", [text("a\nb")]),
    ("JSON in several lines", b'data: {\ndata:  "data":\ndata:  "x"}\n\n', [text("x")]),
    ("no blank lines between", b'data: "a"\ndata: {"data": "b"}\ndata: "c"\n', [text("a"), text("b"), text("c")]),
    (
        "numbers, truth and lists",
        b"data: 3.50\n\ndata: true\n\ndata: [1]\n\n",
        [text("3.50"), text("true"), text("[1]")],
    ),
    ("callback dictionaries", data({"data": "x"}) + data({"data": "y", "agent": 1}), [text("x"), text("y")]),
    (
        "callback dictionaries beside the events they repeat",
        data({"event": {"messageStart": {"role": "assistant"}}})
        + data(DELTA)
        + data({"data": "Hel", "delta": {"text": "Hel"}})
        + data({"current_tool_use": {"toolUseId": "t"}, "delta": {"toolUse": {"input": "1"}}}),
        [text("Hel")],
    ),
    (
        "callback dictionaries alone",
        data({"reasoningText": "hm", "delta": {"reasoningContent": {"text": "hm"}}})
        + data({"data": "a", "delta": {"text": "a"}})
        + data({"current_tool_use": {"toolUseId": "t", "name": "add"}, "delta": {"toolUse": {"input": "1"}}}) * 2,
        [
            {"kind": "reasoning", "text": "hm"},
            text("a"),
            {"kind": "tool", "tool_use_id": "t", "name": "add", "span_id": "t"},
            {"kind": "tool_input", "tool_use_id": "t", "text": "1", "span_id": "t"},
            {"kind": "tool_input", "tool_use_id": "t", "text": "1", "span_id": "t"},
        ],
    ),
    ("bare Bedrock events", data({"contentBlockDelta": {"delta": {"text": "a"}}}), [text("a")]),
    (
        "complete messages",
        data("a") + data({"message": {"role": "assistant", "content": [{"text": "a"}]}}),
        [text("a")],
    ),
    ("dictionaries that say nothing", data({"init_event_loop": True}) + data({"start": True}), []),
    (
        "an unknown dictionary",
        data({"event": {"a": 1}}),
        [{"kind": "other", "name": "unread", "value": {"event": {"a": 1}}}],
    ),
    (
        "chunks until done",
        data({"chunk": "a"}) + data({"chunk": {"text": "b"}}) + b"data: [DONE]\n\n",
        [text("a"), text("b")],
    ),
    ("done without a blank line", b'data: {"chunk": "a"}\ndata: [DONE]', [text("a")]),
    ("an event framed twice", data(data({"data": "x"}).decode()), [text("x")]),
    ("text framed twice", data("data:  hello \n\n") + data("data: [DONE]\n\n"), [text(" hello ")]),
    ("no end of line", b'data: "a"\n\ndata: "b"', [text("a"), text("b")]),
    ("an answer that is no text", data({"status": "ok"}) + data({"result": "done"}), [text("done")]),
    (
        "a message that was never streamed",
        data({"message": {"role": "assistant", "content": [{"text": "hi"}]}}),
        [text("hi")],
    ),
    ("an answer beside text", data("a") + data({"result": "a"}), [text("a")]),
    ("bytes that are no UTF-8", b"data: \xff\xfe\n\n", [text("\ufffd\ufffd")]),
    ("characters nobody can store", b'data: "a\\ud800b\\u0000c\\ud83d\\ude00"\n\n', [text("a\ufffdb\ufffdc😀")]),
    ("broken JSON", b'data: {"data": \n\n', [text('{"data": ')]),
    ("markup", data("**bold** <thinking>a &amp; b</thinking>"), [text("**bold** <thinking>a &amp; b</thinking>")]),
]


@pytest.mark.parametrize(
    ("wire", "expected"), [vector[1:] for vector in VECTORS], ids=[vector[0] for vector in VECTORS]
)
def test_what_agents_send(wire: bytes, expected: list[RunEvent]) -> None:
    """S1-002, S1-012, S1-057, S1-062: each framing that agents use becomes the events a reader should see."""
    assert parse(wire) == expected


@pytest.mark.parametrize("wire", [vector[1] for vector in VECTORS], ids=[vector[0] for vector in VECTORS])
def test_the_cut_of_the_bytes_does_not_matter(wire: bytes) -> None:
    """S1-060 property 7: cut at every offset, and into single bytes, the same events come in the same order."""
    expected = merged(parse(wire))

    for offset in range(len(wire) + 1):
        assert merged(parse(wire[:offset], wire[offset:])) == expected
    assert merged(parse(*(wire[index : index + 1] for index in range(len(wire))))) == expected
