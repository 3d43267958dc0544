"""Answers of shapes that no protocol names, and whatever wraps them: strings in strings, Python, raw words."""

from __future__ import annotations

import json

import pytest

from apps.aws.stream.answer import MOST_KEPT, MOST_VALUE_CHARACTERS
from apps.aws.tests.stream_cases.making import raw
from apps.aws.tests.stream_cases.python import PYTHON
from apps.aws.tests.wire import SSE, Told, data, merged, parse, stream, text, told


def typed(name: str, /, **fields: object) -> dict[str, object]:
    return {"type": name, **fields}


PIECES: dict[str, tuple[bytes, Told]] = {
    **{
        f"pieces under {key}": (stream({key: "Seat"}, {key: " 9,"}, {key: " row 2."}), Told("Seat 9, row 2."))
        for key in (
            "text",
            "response",
            "content",
            "delta",
            "output",
            "answer",
            "message",
            "result",
            "token",
            "data",
            "completion",
            "generated_text",
            "reply",
            "chunk",
        )
    },
    **{
        f"typed pieces: {name}, {key}": (
            stream(
                typed("start"),
                typed(name, **{key: "Seat"}),
                typed(name, **{key: " 9,"}),
                typed(name, **{key: " row 2."}),
                typed("end"),
            ),
            Told("Seat 9, row 2."),
        )
        for name in ("content", "text", "token", "delta", "message", "chunk", "text_delta", "stream", "answer")
        for key in ("content", "text", "data", "delta")
    },
    "pieces one level down": (stream({"data": {"text": "Seat"}}, {"data": {"text": " 9."}}), Told("Seat 9.")),
    "pieces in a message": (
        stream(
            {"delta": {"message": {"content": {"text": "Seat"}}}}, {"delta": {"message": {"content": {"text": " 9."}}}}
        ),
        Told("Seat 9."),
    ),
    "each event has all so far": (
        stream({"text": "Seat"}, {"text": "Seat 9,"}, {"text": "Seat 9, row 2."}),
        Told("Seat 9, row 2."),
    ),
    "all so far, twice each": (
        stream(*({"answer": so_far} for so_far in ("Seat", "Seat", "Seat 9", "Seat 9", "Seat 9."))),
        Told("Seat 9."),
    ),
    "two events with all so far": (stream({"text": "Seat"}, {"text": "Seat 9."}), Told("Seat 9.")),
    "the whole after the pieces, same name": (
        stream({"text": "Seat"}, {"text": " 9,"}, {"text": " row 2."}, {"text": "Seat 9, row 2."}),
        Told("Seat 9, row 2."),
    ),
    "the whole after the pieces, with a little more": (
        stream({"text": "Seat"}, {"text": " 9,"}, {"text": "Seat 9, row 2."}),
        Told("Seat 9, row 2."),
    ),
    "the whole after the pieces, other name": (
        stream({"token": "Seat"}, {"token": " 9."}, {"result": "Seat 9."}),
        Told("Seat 9."),
    ),
    "the whole after the pieces, blanks apart": (
        stream({"token": "Seat"}, {"token": " 9.\n"}, {"result": "Seat 9."}),
        Told("Seat 9.\n"),
    ),
    "typed pieces and the whole": (
        stream(typed("token", content="Seat"), typed("token", content=" 9."), typed("final", content="Seat 9.")),
        Told("Seat 9."),
    ),
    "the whole alone": (stream(typed("start"), typed("final_answer", content="Seat 9.")), Told("Seat 9.")),
    "strings and the whole in a dictionary": (stream("Seat", " 9.", {"result": "Seat 9."}), Told("Seat 9.")),
    "strings and another answer": (stream("Looking …", {"result": "Seat 9."}), Told("Looking …\n\nSeat 9.")),
    "messages with a role, in pieces": (
        stream({"role": "assistant", "content": "Seat"}, {"role": "assistant", "content": " 9."}),
        Told("Seat 9."),
    ),
    "messages with a role, whole": (
        stream({"role": "assistant", "content": "I look it up."}, {"role": "assistant", "content": "It is seat 9."}),
        Told("I look it up.\n\nIt is seat 9."),
    ),
    "the same word twice": (stream({"text": "ha"}, {"text": "ha"}, {"text": "!"}), Told("haha!")),
    "the same word three times": (stream(*[{"text": "ha"}] * 3, {"text": "!"}), Told("hahaha!")),
    "a word that begins like the one before": (
        stream({"text": "the"}, {"text": "then"}, {"text": " go"}),
        Told("thethen go"),
    ),
    "a word that the text begins with": (stream({"text": "no"}, {"text": ", "}, {"text": "no"}), Told("no, no")),
    "Flowise": (
        stream(
            {"event": "token", "data": "Seat"}, {"event": "token", "data": " 9."}, {"event": "end", "data": "[DONE]"}
        ),
        Told("Seat 9."),
    ),
    "Dify": (
        stream(
            {"event": "workflow_started", "data": {"id": "w"}},
            {"event": "message", "answer": "Seat", "message_id": "m"},
            {"event": "message", "answer": " 9.", "message_id": "m"},
            {"event": "message_end", "metadata": {"usage": {"prompt_tokens": 1}}},
        ),
        Told("Seat 9.", usage=(1, 0), others=("workflow_started",)),
    ),
    "text generation": (
        stream(
            {"token": {"id": 1, "text": "Seat"}, "generated_text": None},
            {"token": {"id": 2, "text": " 9."}, "generated_text": "Seat 9."},
        ),
        Told("Seat 9."),
    ),
    "a status is not the answer": (
        stream(typed("status", message="Searching"), typed("content", content="Seat 9.")),
        Told("Seat 9.", others=("status",)),
    ),
    "thoughts and tools by name": (
        stream(
            typed("thinking", content="Hm."),
            typed("tool_use", name="plan", id="x", input={"n": 1}),
            typed("tool_result", tool_use_id="x", content="9"),
            typed("text", text="Seat 9."),
        ),
        Told("Seat 9.", reasoning="Hm.", tools=(("plan", '{"n": 1}', "9"),)),
    ),
    "tools without ids": (
        stream(
            typed("tool_call", tool="plan", args={"n": 1}),
            typed("tool_result", result="9"),
            typed("text", text="Seat 9."),
        ),
        Told("Seat 9.", tools=(("plan", '{"n": 1}', "9"),)),
    ),
    "token counts beside the text": (
        stream("Fine.", {"usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}),
        Told("Fine.", usage=(11, 7)),
    ),
    "names of server-sent events": (
        b'event: start\ndata: {"id": 1}\n\n'
        b'event: token\ndata: {"text": "Seat"}\n\nevent: token\ndata: {"text": " 9."}\n\n'
        b'event: thinking\ndata: {"text": "Hm."}\n\nevent: done\ndata: {"text": "Seat 9."}\n\n',
        Told("Seat 9.", reasoning="Hm."),
    ),
    "plain text under the name of a thought": (
        b"event: thinking\ndata: Hm.\n\ndata: Seat 9.\n\n",
        Told("Seat 9.", reasoning="Hm."),
    ),
    **{
        f"pieces under a name that ends like one: {key}": (
            stream({key: "Seat"}, {key: " 9,"}, {key: " row 2."}),
            Told("Seat 9, row 2."),
        )
        for key in ("Text", "Content", "msg", "agent_output", "responseText", "assistant_message")
    },
    "a name that ends like one but is none": (stream({"user_message": "where?"}), Told(others=("unread",))),
    "thoughts without a name": (stream({"reasoning": "Hm."}, {"text": "Yes."}), Told("Yes.", reasoning="Hm.")),
    "the end in quotation marks": (stream({"text": "Yes."}, "[DONE]"), Told("Yes.")),
    "tokens counted at the end": (
        stream({"text": "Yes."}, typed("done", data={"usage": {"input_tokens": 4, "output_tokens": 3}})),
        Told("Yes.", usage=(4, 3)),
    ),
    "tokens counted in between": (
        stream({"text": "Yes."}, {"response_metadata": 1, "inputTokens": 4, "outputTokens": 3}),
        Told("Yes.", usage=(4, 3)),
    ),
    "pings": (
        stream({"type": "ping"}, {"event": "heartbeat"}, {"ping": 1}, "Seat 9.", {"done": True}),
        Told("Seat 9."),
    ),
    "halves of a surrogate pair": (b'data: "Tram \\ud83d"\n\ndata: "\\ude8b here"\n\n', Told("Tram \U0001f68b here")),
    "halves in dictionaries": (b'data: {"text": "\\ud83d"}\n\ndata: {"text": "\\ude8b"}\n\n', Told("\U0001f68b")),
    "a half that stays alone": (b'data: "Tram \\ud83d"\n\ndata: " here \\ude8b"\n\n', Told("Tram \ufffd here \ufffd")),
    "a half at the end": (b'data: "Tram \\ud83d"\n\n', Told("Tram \ufffd")),
}

ENCODED: dict[str, tuple[bytes, Told]] = {
    "JSON in strings": (
        stream(*(json.dumps({"data": piece}) for piece in ("Seat", " 9,", " row 2."))),
        Told("Seat 9, row 2."),
    ),
    "typed JSON in strings": (
        stream(*(json.dumps(typed("text", content=piece)) for piece in ("Seat", " 9,", " row 2."))),
        Told("Seat 9, row 2."),
    ),
    "strings in strings": (stream(json.dumps("Seat"), json.dumps(' "9".')), Told('Seat "9".')),
    "a quotation is no string": (stream("He said ", '"yes"', "."), Told('He said "yes".')),
    "events in strings": (
        stream('event: chunk\ndata: {"text": "Fog"}\n\n', 'event: chunk\ndata: {"text": " until ten"}\n\n'),
        Told("Fog until ten"),
    ),
    "events with ids in strings": (
        stream('id: 1\ndata: {"text": "Fog"}\n\n', 'id: 2\r\ndata: {"text": "."}\r\n\r\n'),
        Told("Fog."),
    ),
    "events without the blank line": (stream('data: {"text": "Fog"}', 'data: {"text": "."}\n'), Told("Fog.")),
    "several events in one string": (stream('data: "Fog"\n\ndata: " until"\n\ndata: [DONE]\n\n'), Told("Fog until")),
    "an error in a string": (
        stream("Fo", 'event: error\ndata: {"message": "No station"}\n\n'),
        Told("Fo", errors=(("AgentError", "No station"),)),
    ),
    "a protocol in strings": (
        stream(*(json.dumps(typed("TEXT_MESSAGE_CONTENT", messageId="m", delta=d)) for d in ("Fog", "."))),
        Told("Fog."),
    ),
    "three times": (stream(json.dumps(json.dumps({"text": "Fog"}))), Told("Fog")),
    "JSON that is the answer": (stream('{"city": "Oslo", "temp": 4}'), Told('{"city": "Oslo", "temp": 4}')),
    "JSON with more than a text is the answer": (
        stream('{"result": "ok", "score": 5}'),
        Told('{"result": "ok", "score": 5}'),
    ),
    "a list that is the answer": (stream("[1, 2]"), Told("[1, 2]")),
    "text that looks like a field": (stream("data: the figures are below"), Told("data: the figures are below")),
    "text with a colon": (stream("id: a name", "event: a party\nand more"), Told("id: a nameevent: a party\nand more")),
    "JSON in pieces": (stream('{"city":', ' "Oslo"}'), Told('{"city": "Oslo"}')),
    "JSON inside of a text found": (stream({"body": '{"answer": "Fog."}'}), Told("Fog.")),
}

RAW: dict[str, tuple[bytes, Told]] = {
    "words that are JSON": (raw("SET", " x", " =", "null", " or", " 42", "true"), Told("SET x =null or 42true")),
    "null first": (raw("null", " is", " nothing"), Told("null is nothing")),
    "a quoted word": (raw("He said", '"yes"', "loudly"), Told('He said"yes"loudly')),
    "JSON word by word": (raw('{"a"', ": ", "1", "}"), Told('{"a": 1}')),
    "an empty dictionary": (raw("x = ", "{}", " and ", "[]"), Told("x = {} and []")),
    "null in a stream of JSON": (stream("a", None, "b"), Told("ab")),
    "null after both": (stream("a") + raw("b", "null"), Told("abnull")),
}

CASES = {
    f"{name}: {case}": vector
    for name, vectors in (("pieces", PIECES), ("encoded", ENCODED), ("python", PYTHON), ("raw", RAW))
    for case, vector in vectors.items()
}


@pytest.mark.parametrize(("wire", "expected"), CASES.values(), ids=CASES.keys())
def test_what_has_no_name_is_told_whole_and_once(wire: bytes, expected: Told) -> None:
    assert told(parse(wire)) == expected


@pytest.mark.parametrize("wire", [vector[0] for vector in CASES.values()], ids=CASES.keys())
def test_it_may_be_cut_anywhere(wire: bytes) -> None:
    assert merged(parse(*(wire[index : index + 1] for index in range(len(wire))))) == merged(parse(wire))


def test_pieces_are_told_as_they_come() -> None:
    """What an agent streams in a shape of its own is not held back until its end."""
    parts = [parse(stream({"answer": "Seat"}))[0], *parse(stream({"answer": "Seat"}, {"answer": " 9"}))]

    assert parts == [text("Seat"), text("Seat"), text(" 9")]


def test_what_nobody_understands_is_kept() -> None:
    values = [{"foo": {"bar": 1}}, {"event": "x"}, [{"a": 1}], {"kind": 5}]

    assert parse(stream(*values)) == [{"kind": "other", "name": "unread", "value": value} for value in values]


def test_what_nobody_understands_is_bounded() -> None:
    events = parse(stream(*({"n": number} for number in range(MOST_KEPT + 30)), {"long": "x" * 100_000}))
    kept, more = events[:-1], events[-1]

    assert len(kept) == MOST_KEPT
    assert more == {"kind": "other", "name": "unread_more", "value": {"count": 31}}


def test_a_long_value_that_nobody_understands_is_cut() -> None:
    event = parse(stream({"long": "x" * 100_000}))[0]

    assert event["kind"] == "other"
    assert event["value"] == '{"long": "' + "x" * (MOST_VALUE_CHARACTERS - 10) + "…"


def test_what_says_nothing_is_not_unread() -> None:
    silent = [
        {"init_event_loop": True}, {"start": True}, {"start_event_loop": True}, {"type": "ping"}, {"status": "ok"},
        {"event": {"messageStart": {"role": "assistant"}}}, {"event": {"contentBlockStop": {"contentBlockIndex": 0}}},
        {"type": "RUN_STARTED"}, {"type": "response.created", "response": {}}, {"type": "message_stop"}, {"done": True},
        {"jsonrpc": "2.0", "id": 1, "result": {"kind": "task", "id": "t", "status": {"state": "submitted"}}},
        {"event": "on_chain_start", "data": {}, "run_id": "r"}, {"type": "step_started"}, {"text": ""}, {"choices": []},
    ]  # fmt: skip

    assert parse(stream(*silent)) == []


def test_a_message_that_comes_often_is_compared_in_time() -> None:
    """Long answers whose every event has all so far cost their bytes, not the square of them."""
    words = "".join(f"word {number} " for number in range(2_000))
    wire = stream(*({"text": words[: size * 10]} for size in range(1, len(words) // 10)))

    assert told(parse(wire)).text == words[: (len(words) // 10 - 1) * 10]


def test_text_of_sse_keeps_its_order_around_tools() -> None:
    events = parse(stream({"text": "a"}, {"text": "a"}, typed("tool_use", name="t", id="x", input={}), {"text": "b"}))

    assert [event["kind"] for event in events] == ["text", "tool", "text"]
    assert parse(data("x"), content_type=SSE) == [text("x")]
