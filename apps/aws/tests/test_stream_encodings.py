"""What the content type says, and what comes in its place: charsets, line ends, gzip, other formats, media."""

from __future__ import annotations

import gzip
import json

import pytest

from apps.aws.stream.encodings import MAX_UNZIPPED_BYTES
from apps.aws.stream.parsing import StreamParser
from apps.aws.tests.wire import SSE, merged, parse, stream, told

EVENTS = stream("Lane", " two", " is shut.")
LINES = b'{"data": "Lane"}\n{"data": " two"}\n{"data": " is shut."}\n'
SAID = "Lane two is shut."
JSON = "application/json"

WIRES: dict[str, tuple[str, bytes, str]] = {
    **{
        f"events under {kind or 'no type'}": (kind, EVENTS, SAID)
        for kind in (
            "",
            "application/octet-stream",
            "binary/octet-stream",
            JSON,
            "text/plain",
            "application/x-ndjson",
            "application/json; charset=utf-8",
            "application/vnd.api+json",
        )
    },
    **{
        f"lines under {kind or 'no type'}": (kind, LINES, SAID)
        for kind in (
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/jsonlines",
            "application/json-lines",
            "application/x-jsonlines",
            "application/json-seq",
            JSON,
            "",
            "text/plain",
            "application/octet-stream",
            "text/event-stream",
            "application/stream+json",
        )
    },
    "lines with the mark of a sequence": ("application/json-seq", b"\x1e" + LINES.replace(b"\n{", b"\n\x1e{"), SAID),
    "lines of Windows": ("application/x-ndjson", LINES.replace(b"\n", b"\r\n"), SAID),
    "values without lines": (JSON, LINES.replace(b"\n", b""), SAID),
    "a line that is no JSON": ("application/x-ndjson", b'{"data": "Lane"}\nnot JSON\n', "Lanenot JSON\n"),
    "one line": ("application/x-ndjson", b'{"result": "Lane two"}', "Lane two"),
    "events with a name first": ("", b'event: token\ndata: {"text": "Lane"}\n\n', "Lane"),
    "events with an id first": (JSON, b'id: 1\ndata: "Lane"\n\n', "Lane"),
    "events with a comment first": (JSON, b': hello\n\ndata: "Lane"\n\n', "Lane"),
    "events with a mark first": (JSON, b'\xef\xbb\xbfdata: "Lane"\n\n', "Lane"),
    "a value under text": ("text/plain", b'{"result": "Lane two"}', "Lane two"),
    "a value under text, over lines": ("text/plain", b'{\n  "result": "Lane two"\n}\n', "Lane two"),
    "a value under no type": ("", b'  {"result": "Lane two"}', "Lane two"),
    "a value under bytes": ("application/octet-stream", b'[{"text": "Lane"}]', "Lane"),
    "a value under a stream": ("text/event-stream", b'{"result": "Lane two"}', "Lane two"),
    "text under a stream": ("text/event-stream", b"Lane two is shut.", SAID),
    "text under no type": ("", b"Lane two is shut.", SAID),
    "text with a brace": ("text/plain", b"{name}, lane two\nis shut", "{name}, lane two\nis shut"),
    "text with a bracket": ("text/plain", b"[INFO] lane two\nis shut", "[INFO] lane two\nis shut"),
    "text with a note": ("text/plain", b"[1] see lane two\n", "[1] see lane two\n"),
    "text that begins like a field": ("text/plain", b"data: see below\nid: 5", "data: see below\nid: 5"),
    "text that is a field's name": ("text/plain", b"data", "data"),
    "text in quotation marks": ("text/plain", b'"Lane" is shut.\nYes.', '"Lane" is shut.\nYes.'),
    "YAML": ("text/plain", b"id: 1\nname: lane", "id: 1\nname: lane"),
    "markdown": ("text/markdown", b'{"result": 1}', '{"result": 1}'),
    "no field that is known": ("text/event-stream", b"x-note: hello\ndata: Lane\n\n", "Lane"),
    "latin-1 by name, a stream": (
        "text/event-stream; charset=iso-8859-1",
        'data: "Caf\xe9 f\xfcr"\n\n'.encode("latin-1"),
        "Café für",
    ),
    "latin-1 by name, JSON": ("application/json; charset=latin-1", '{"result": "Caf\xe9"}'.encode("latin-1"), "Café"),
    "latin-1 by name, text": ("text/plain; charset=ISO-8859-1", "Caf\xe9".encode("latin-1"), "Café"),
    "a charset in quotation marks": ('text/plain; charset="windows-1252"', "10 €".encode("cp1252"), "10 €"),
    "UTF-16": ("text/plain; charset=utf-16", "Café 🚋".encode("utf-16"), "Café 🚋"),
    "UTF-16 without a mark": ("text/plain; charset=utf-16", "Café 🚋".encode("utf-16-le"), "Café 🚋"),
    "Japanese": ("text/event-stream; charset=shift_jis", 'data: "電車"\n\n'.encode("shift_jis"), "電車"),
    "latin-1 without a name, a stream": (
        "text/event-stream",
        'data: "Caf\xe9 f\xfcr"\n\n'.encode("latin-1"),
        "Café für",
    ),
    "latin-1 without a name, text": ("text/plain", "Caf\xe9 f\xfcr".encode("latin-1"), "Café für"),
    "UTF-8 that is broken, by name": (SSE, b'data: "Caf\xe9"\n\n', "Caf\ufffd"),
    "UTF-8 that is cut": ("text/plain", "Straße 🚋".encode()[:-1], "Straße \ufffd"),
    "a charset that nobody knows": ("text/plain; charset=klingon", "Café".encode(), "Café"),
    "a codec that is no charset": ("text/plain; charset=zlib", "Café".encode(), "Café"),
    "returns alone": ("text/event-stream", b'data: "Lane"\r\rdata: " two"\r\rdata: " is shut."\r\r', SAID),
    "returns alone, plain": ("text/event-stream", b"data: Lane\rdata: two\r\r", "Lane\ntwo"),
    "line ends of every kind": ("text/event-stream", b"data: Lane\r\n\r\ndata:  two\r\rdata:  is shut.\n\n", SAID),
    "no end of line": ("text/event-stream", b'data: "Lane"\r\rdata: " two"', "Lane two"),
    "gzip, a stream": ("text/event-stream", gzip.compress(EVENTS), SAID),
    "gzip, JSON": (JSON, gzip.compress(b'{"result": "Lane two"}'), "Lane two"),
    "gzip, text": ("text/plain; charset=latin-1", gzip.compress("Caf\xe9".encode("latin-1")), "Café"),
    "an image": ("image/png", b"\x89PNG\r\n\x1a\n", "[image png, 8 bytes]"),
    "a sound": ("audio/mpeg", b"x" * 2_048, "[audio mpeg, 2,048 bytes]"),
    "a document": ("application/pdf", b"%PDF-1.7", "[file pdf, 8 bytes]"),
}


@pytest.mark.parametrize(("content_type", "wire", "expected"), WIRES.values(), ids=WIRES.keys())
def test_the_first_bytes_say_what_the_type_does_not(content_type: str, wire: bytes, expected: str) -> None:
    whole = parse(wire, content_type=content_type)

    assert told(whole).text == expected
    assert told(whole).others == ()
    singles = parse(*(wire[index : index + 1] for index in range(len(wire))), content_type=content_type)
    assert merged(singles) == merged(whole)
    for offset in range(len(wire) + 1):
        assert merged(parse(wire[:offset], wire[offset:], content_type=content_type)) == merged(whole)


def test_a_stream_of_unknown_fields_alone_is_kept() -> None:
    assert parse(b"answer: Lane two\nnote: is shut\n") == [
        {"kind": "other", "name": "unread", "value": "answer: Lane two\nnote: is shut\n"}
    ]


@pytest.mark.parametrize("content_type", ["application/x-ndjson", JSON, "text/plain", ""])
def test_lines_are_told_as_they_come(content_type: str) -> None:
    parser = StreamParser(content_type)
    parser.feed(b'{"data": "Lane"}\n')

    assert told(parser.feed(b'{"data": " two"}\n')).text in ("Lane two", " two")
    assert told(parser.feed(b'{"data": "!"}\n')).text == "!"


def test_text_is_told_as_it_comes_although_it_looks_like_json_at_first() -> None:
    parser = StreamParser("text/plain")

    assert parser.feed(b"{") == []
    assert told(parser.feed(b"name}, hello")).text == "{name}, hello"
    parser = StreamParser("text/plain")
    assert parser.feed(b'["a" and') == []
    assert told(parser.feed(b" b]\nhello")).text == '["a" and b]\nhello'


def test_a_body_that_is_packed_too_tightly_is_given_up() -> None:
    """Some hundred kilobytes that unpack to more than an answer may have."""
    packed = gzip.compress(b"data: x\n\n" * (MAX_UNZIPPED_BYTES // 9 + 10_000), compresslevel=1)
    parser = StreamParser("text/plain")
    events = parser.feed(packed) + parser.close()

    assert [event["error_type"] for event in events if event["kind"] == "error"] == ["EventTooLongError"]


def test_a_packed_body_that_breaks_off_is_said_to() -> None:
    packed = gzip.compress(json.dumps({"result": "x" * 1_000}).encode())

    for wire in (packed[:-20], packed[:12] + b"\0" * 20):
        assert told(parse(wire, content_type=JSON)).errors[0][0] == "ContentEncodingError"


def test_lines_that_are_too_long_are_left_out() -> None:
    parser = StreamParser("application/x-ndjson", max_event_bytes=100)
    events = parser.feed(b'{"data": "' + b"x" * 200 + b'"}\n{"data": "y"}\n')

    assert [event["kind"] for event in events] == ["error", "text"]
