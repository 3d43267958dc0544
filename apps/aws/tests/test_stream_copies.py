"""Copies of events that came as Python writes them, as Strands' callbacks do, with whatever objects are in them."""

from __future__ import annotations

import pytest

from apps.aws.stream.reprs import read_repr
from apps.aws.tests.stream_cases.making import AGENT, callback
from apps.aws.tests.wire import Told, merged, parse, stream, told

SPAN = "NonRecordingSpan(SpanContext(trace_id=0x00000000, span_id=0x0000, trace_flags=0x00, trace_state=[]))"
FIELDS = {
    "an object": AGENT,
    "numbers in other bases": SPAN,
    "an object in an object": f"<bound method Agent.run of {AGENT}>",
    "an arrow in an object": "<Node a -> b, it's one>",
    "a date": "datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)",
    "a bare date": "2026-01-02 10:00:00",
    "a complex number": "(1+2j)",
    "a name": "Ellipsis",
    "an enum": "<Status.DONE: 'done'>",
    "a lambda": "<function <lambda> at 0x7f00aa>",
    "words in brackets": "Model{name: it's, [1, 2] of 'a, b'}",
    "an abbreviation": "{'a': {...}, 'b': [1, ...]}",
    "a path": "PosixPath('/srv/a b')",
    "a set": "frozenset({'a', 'b'})",
    "a mapping": "mappingproxy({'a': 1})",
    "deep brackets": "[" * 60 + "]" * 60,
    "a history": repr([{"role": "user", "content": [{"text": "He's \"here\", {'data': 'no'}\n" * 500}]}] * 40),
}
OPEN = {"an open object": "<Agent without an end", "an open text": "'it", "an open bracket": "Model{name: [1, 2}"}


def with_field(piece: str, field: str) -> str:
    return f"{{'data': {piece!r}, 'delta': {{'text': {piece!r}}}, 'agent': {AGENT}, 'field': {field}, 'after': {SPAN}}}"


def event(piece: str) -> dict[str, object]:
    return {"event": {"contentBlockDelta": {"delta": {"text": piece}}}}


WORDS = ("It's", ' "8"', " {'data': 'no'}", " \\ \n", " it's", " it's")
SAID = Told("".join(WORDS))
START, STOP = {"event": {"messageStart": {"role": "assistant"}}}, {"event": {"messageStop": {"stopReason": "end_turn"}}}
TOOL_EVENTS = (
    {"event": {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t", "name": "plan"}}}}},
    *({"event": {"contentBlockDelta": {"delta": {"toolUse": {"input": part}}}}} for part in ('{"a"', ": 1}")),
)
TOOL_COPIES = tuple(
    f"{{'type': 'tool_use_stream', 'delta': {{'toolUse': {{'input': {part!r}}}}}, 'current_tool_use': {{'toolUseId': "
    f"'t', 'name': 'plan', 'input': {so_far!r}}}, 'agent': {AGENT}, 'event_loop_cycle_span': {SPAN}}}"
    for part, so_far in (('{"a"', '{"a"'), (": 1}", '{"a": 1}'))
)
THOUGHTS = tuple({"event": {"contentBlockDelta": {"delta": {"reasoningContent": {"text": part}}}}} for part in "ab")
THOUGHT_COPIES = tuple(
    f"{{'reasoningText': '{part}', 'delta': {{'reasoningContent': {{'text': '{part}'}}}}, 'agent': {AGENT}}}"
    for part in "ab"
)

COPIES: dict[str, tuple[bytes, Told]] = {
    **{
        f"{name} in a copy": (
            stream(*(value for word in WORDS for value in (event(word), with_field(word, field)))),
            SAID,
        )
        for name, field in (FIELDS | OPEN).items()
    },
    **{
        f"{name} and no events": (stream(*(with_field(word, field) for word in WORDS)), SAID)
        for name, field in (FIELDS | OPEN).items()
    },
    "copies first": (stream(*map(callback, WORDS), *map(event, WORDS)), SAID),
    "copies before each event": (stream(*(v for word in WORDS for v in (callback(word), event(word)))), SAID),
    "copies before each event, after the start": (
        stream(START, *(v for word in WORDS for v in (callback(word), event(word))), STOP),
        SAID,
    ),
    "copies behind all events": (stream(*map(event, WORDS), *map(callback, WORDS)), SAID),
    "the first copy before its event, the others behind": (
        stream(callback(WORDS[0]), *map(event, WORDS), *map(callback, WORDS[1:])),
        SAID,
    ),
    "larger pieces in the events": (
        stream(*map(callback, ("Tr", "am", " 8")), event("Tram"), event(" 8.")),
        Told("Tram 8."),
    ),
    "larger pieces in the copies": (
        stream(callback("Tram 8"), event("Tr"), event("am"), event(" 8.")),
        Told("Tram 8."),
    ),
    "events that are no copies": (stream(callback("Is it?"), event("Is"), event(" not.")), Told("Is it?Is not.")),
    "copies without a delta": (
        stream(*(v for word in WORDS for v in (event(word), f"{{'data': {word!r}, 'agent': {AGENT}}}"))),
        SAID,
    ),
    "copies in JSON": (
        stream(*(v for word in WORDS for v in ({"data": word, "delta": {"text": word}}, event(word)))),
        SAID,
    ),
    "a tool, copies behind": (stream(*TOOL_EVENTS, *TOOL_COPIES), Told(tools=(("plan", '{"a": 1}', ""),))),
    "a tool, copies first": (stream(*TOOL_COPIES, *TOOL_EVENTS), Told(tools=(("plan", '{"a": 1}', ""),))),
    "a tool, copies between": (
        stream(TOOL_EVENTS[0], TOOL_COPIES[0], TOOL_EVENTS[1], TOOL_EVENTS[2], TOOL_COPIES[1]),
        Told(tools=(("plan", '{"a": 1}', ""),)),
    ),
    "thoughts, copies behind": (stream(*THOUGHTS, *THOUGHT_COPIES), Told(reasoning="ab")),
    "thoughts, copies first": (stream(*THOUGHT_COPIES, *THOUGHTS), Told(reasoning="ab")),
    "life of the loop": (
        stream(f"{{'init_event_loop': True, 'agent': {AGENT}}}", {"start": True}, event("Yes."), callback("Yes.")),
        Told("Yes."),
    ),
    "an object that nobody knows": (stream(event("Yes."), f"{{'hook': {AGENT}}}"), Told("Yes.", others=("unread",))),
    "no object": (stream("Like ", "{'hook': <b>}", "{'hook': x.y}"), Told("Like {'hook': <b>}{'hook': x.y}")),
}


@pytest.mark.parametrize(("wire", "expected"), COPIES.values(), ids=COPIES.keys())
def test_what_copies_say_is_said_once(wire: bytes, expected: Told) -> None:
    assert told(parse(wire)) == expected


@pytest.mark.parametrize("wire", [vector[0] for vector in COPIES.values()], ids=COPIES.keys())
def test_they_may_be_cut_anywhere(wire: bytes) -> None:
    size = 1 if len(wire) < 2_000 else 97 if len(wire) < 20_000 else 9_973

    assert merged(parse(*(wire[at : at + size] for at in range(0, len(wire), size)))) == merged(parse(wire))


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
def test_what_cannot_be_read_hides_nothing_behind_it(field: str) -> None:
    value = read_repr(f"{{'data': 'Tram', 'field': {field}, 'list': [1, {field}, 2], 'after': 'all'}}").value

    assert isinstance(value, dict)
    assert (value["data"], value["after"]) == ("Tram", "all")
    assert isinstance(value["list"], list)
    assert (value["list"][0], value["list"][-1]) == (1, 2)


def test_of_a_copy_with_a_very_long_history_the_beginning_is_read() -> None:
    history = "[" + "1, " * 210_000 + "]"

    assert told(parse(stream(event("Tr"), with_field("Tr", history)))) == Told("Tr")
    assert told(parse(stream(with_field("Tr", history)))) == Told("Tr")
