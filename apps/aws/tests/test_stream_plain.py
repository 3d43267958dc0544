"""The short way of a piece of text leads to the same events as the long one, whatever stands between the pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.aws.stream.bodies import JsonLinesReader
from apps.aws.stream.encodings import FALLBACK
from apps.aws.stream.events import StreamReader
from apps.aws.stream.lines import LineReader
from apps.aws.stream.plain import BEDROCK, DATA, STRINGS, piece_in
from apps.aws.stream.sse import SseReader
from loom_events.kinds import JsonValue, RunEvent


class LongWay(StreamReader):
    """Knows no piece by its bytes."""

    def read_piece(self, data: bytes) -> list[RunEvent] | None:
        return None


class LongSseReader(SseReader):
    def __init__(self, max_event_bytes: int, errors: str) -> None:
        super().__init__(max_event_bytes, errors)
        self._values = LongWay(max_event_bytes)


class LongJsonLinesReader(JsonLinesReader):
    def __init__(self, max_event_bytes: int, errors: str) -> None:
        super().__init__(max_event_bytes, errors)
        self._values = LongWay(max_event_bytes)


def bedrock(text: JsonValue) -> JsonValue:
    return {"event": {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}}


WORDS = st.one_of(
    st.sampled_from([
        "", " ", " word", "ing", "é", "漢字", "🙂", "\0", "\x1f", "\x7f", "\t", "\n", '"', "\\", "[DONE]", "null", "{",
        "[1]", "data: x",
        "\ud83d", "\ude00", "\udc00", '{"data": "inner"}', '"quoted"', "b'bytes'", "(see",
        "AIMessageChunk(content='a')",
    ]),
    st.text(max_size=8),
    st.text(st.characters(codec=None), max_size=4),
)  # fmt: skip
VALUES = st.one_of(
    WORDS.map(bedrock),
    WORDS.map(lambda text: {"event": {"contentBlockDelta": {"delta": {"text": text}}}}),
    WORDS.map(lambda text: {"data": text, "delta": {"text": text}}),
    WORDS.map(lambda text: {"data": text, "delta": {"text": text}, "event_loop_cycle_id": "c", "agent": "a"}),
    WORDS.map(lambda text: {"data": text, "delta": {"toolUse": {"input": text}}}),
    WORDS.map(lambda text: {"data": text}),
    WORDS.map(lambda text: {"chunk": text}),
    WORDS.map(lambda text: {"chunk": text, "delta": {"text": text}}),
    WORDS.map(lambda text: {"data": text, "chunk": text}),
    WORDS.map(lambda text: {"data": text, "error": text}),
    WORDS.map(lambda text: {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": text}),
    WORDS.map(lambda text: {"choices": [{"delta": {"content": text}}]}),
    WORDS.map(lambda text: {"event": {"contentBlockDelta": {"delta": {"reasoningContent": {"text": text}}}}}),
    WORDS.map(lambda text: {"data": "x", "delta": {}, "event": {"contentBlockDelta": {"delta": {"text": text}}}}),
    WORDS.map(lambda text: {"message": {"role": "assistant", "content": [{"text": text}]}}),
    st.sampled_from([
        {"event": {"messageStart": {"role": "assistant"}}},
        {"event": {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t", "name": "plan"}}}}},
        {"event": {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}}}},
        {"event": {"messageStop": {"stopReason": "end_turn"}}},
        {"event": {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2}}}},
        {"event": {}}, {"data": None}, {"data": 1}, {"event": None, "data": "x"}, {"error": "gone"}, {}, [], [1], 12,
        None, True,
        {"init_event_loop": True}, {"odd": {"thing": 1}},
    ]),
    WORDS,
)  # fmt: skip
ODD_JSON = st.sampled_from([
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a"}}},"event":{"contentBlockDelta":{"delta":{"text":"b"}}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a","text":"b"},"delta":{"text":"c"}}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":1,"text":"b"}}}}',
    b'{"data":"a","data":"b"}', b'{"data":"a","delta":{},"delta":{"text":"b"}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":' + b"9" * 40 + b"}}}",
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":' + b"9" * 5000 + b"}}}",
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":1.0}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":NaN}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":null}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":1e999}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a"},"contentBlockIndex":01}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"\\ud83d\\ude00"}}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"\\ud83d"}}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"\\ude00 \\u0041\\/"}}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a\xff\xe9"}}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"\xed\xa0\x80"}}}}',
    b'{"event":{"contentBlockDelta":{"delta":{"text":"a\tb"}}}}', b'{"data":"a"} ', b'{"data":"a"}\xc2\xa0',
    b' \t{"data":"a"}',
    b'\xc2\xa0{"data":"a"}', b'{"\\u0064ata":"a"}', b'{"data":"a"}}', b'{"data":"a"', b'{"data":"a"}{"data":"b"}',
    b'"a', b'"a"b',
    b'"\\x"', b'"\xff"', b'"\\ud800"', b'{"data":"a",}', b"{'data': 'a', 'delta': {'text': 'a'}}", b"[DONE]",
    b"word", b"", b"null",
])  # fmt: skip
JSON = st.one_of(
    VALUES.map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")),
    ODD_JSON,
)
DATA_LINES = st.builds(
    lambda field, data, end: field + data + end,
    st.sampled_from([b"data: ", b"data: ", b"data:", b"data:  "]),
    JSON,
    st.sampled_from([b"\n\n", b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n", b"\n\r\n", b"\r"]),
)
FIELDS = st.sampled_from([
    b": a comment\n", b":\n\n", b"event: message\n", b"event: error\n", b"event:\n", b"id: 1\n", b"retry: 1\n\n",
    b"data\n", b"data\n\n",
    b"\n", b"\n\n", b"\r\n", b"\r", b"other: field\n", b"\xef\xbb\xbf", b"\xef\xbb\xbfdata: 1\n\n", b"no field\n",
])  # fmt: skip
BEGINNINGS = st.sampled_from([
    b"", b'data: {"event": {"messageStart": {"role": "assistant"}}}\n\n', b'data: "first"\n\n',
    b'data: {"data": "first"}\n\n',
    b'data: {"chunk": "first"}\n\n', b"data: raw\n\n",
])  # fmt: skip
PARTS = st.lists(st.one_of(DATA_LINES, DATA_LINES, DATA_LINES, FIELDS), max_size=12)
STREAMS = st.builds(lambda beginning, parts: [beginning, *parts], BEGINNINGS, PARTS)
LINES = st.builds(
    lambda beginning, values, end: [beginning + end, *(value + end for value in values)],
    st.sampled_from([b'{"data": "first"}', b'{"event": {"messageStart": {}}}', b'"first"', b"raw", b""]),
    st.lists(JSON, max_size=12),
    st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\x1e\n"]),
)


@st.composite
def chunks(draw: st.DrawFn, streams: st.SearchStrategy[list[bytes]]) -> list[bytes]:
    """A stream as a network may cut it: at its events, or anywhere."""
    parts = draw(streams)
    if draw(st.booleans()):
        return parts
    whole = b"".join(parts)
    if whole and draw(st.booleans()):
        place = draw(st.integers(0, len(whole) - 1))
        whole = whole[:place] + bytes([draw(st.integers(0, 255))]) + whole[place + 1 :]
    cuts = sorted(draw(st.sets(st.integers(0, len(whole)), max_size=8)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def events_of(reader: LineReader, pieces: list[bytes]) -> list[list[RunEvent]]:
    """The events that each chunk completes, and those of the end."""
    return [*(reader.feed(piece) for piece in pieces), reader.close()]


LIMITS = st.sampled_from([1_000_000, 1_000_000, 60, 20])
ERRORS = st.sampled_from([FALLBACK, "replace"])


@given(chunks(STREAMS), LIMITS, ERRORS)
@example([b'data: "a"\n\n', b'event: error\ndata: "b"\n\n'], 1_000_000, "replace")
@example([b'data: "a"\n\n', b'data: [\ndata: "b"\ndata: ]\n\n'], 1_000_000, "replace")
@example([b'data: "a"\n\n', b'data: "b"\rdata: "c"\n\n'], 1_000_000, "replace")
@example([b'data: {"chunk": "a"}\n\n', b'data: {"chunk":\r "b"}\n\n'], 1_000_000, "replace")
def test_a_piece_makes_the_same_events_either_way(pieces: list[bytes], limit: int, errors: str) -> None:
    assert events_of(SseReader(limit, errors), pieces) == events_of(LongSseReader(limit, errors), pieces)


@given(chunks(LINES), LIMITS, ERRORS)
def test_so_does_a_piece_in_a_line_of_json(pieces: list[bytes], limit: int, errors: str) -> None:
    assert events_of(JsonLinesReader(limit, errors), pieces) == events_of(LongJsonLinesReader(limit, errors), pieces)


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b'{"event": {"contentBlockDelta": {"delta": {"text": " word"}, "contentBlockIndex": 0}}}', BEDROCK, " word"),
        (b'{"event":{"contentBlockDelta":{"delta":{"text":"\\u00e9\xc3\xa9"}}}}', BEDROCK, "éé"),
        (b'{"data": "word", "delta": {"text": "word"}}', BEDROCK, ""),
        (b'{"data": "word", "delta": {"text": "word"}}', DATA, "word"),
        (b'{"data": "word"}', DATA, "word"),
        (b'{"chunk": "word"}', DATA, "word"),
        (b'"word"', STRINGS, "word"),
        (b'{"data": "word"}', BEDROCK, None),
        (b'{"data": "{}"}', DATA, None),
        (b'"{}"', STRINGS, None),
        (b'{"data": "word", "delta": {"text": "word"}, "error": "no"}', DATA, None),
        (b'{"event": {"messageStop": {"stopReason": "end_turn"}}}', BEDROCK, None),
    ],
)
def test_the_shapes_that_agents_send_by_the_thousand_are_known_by_their_bytes(
    data: bytes, kind: str, text: str | None
) -> None:
    assert piece_in(data, kind) == text
