"""Lines of a letter, a colon and a value: the first data stream protocol of Vercel's AI SDK."""

from __future__ import annotations

import pytest

from apps.aws.tests.wire import Told, merged, parse, told

PLAIN = "text/plain; charset=utf-8"
END = 'd:{"finishReason":"stop","usage":{"promptTokens":4,"completionTokens":3}}\n'

CASES: dict[str, tuple[str, Told]] = {
    "text": (
        'f:{"messageId":"m"}\n0:"The"\n0:" bus\\n"\n0:"stops."\n'
        'e:{"finishReason":"stop","usage":{"promptTokens":4,"completionTokens":3},"isContinued":false}\n' + END,
        Told("The bus\nstops.", usage=(4, 3)),
    ),
    "text at once": ('0:"The"\n0:" bus."\n' + END, Told("The bus.", usage=(4, 3))),
    "line ends of Windows": ('0:"The"\r\n0:" bus."\r\n', Told("The bus.")),
    "without the last line end": ('0:"The"\n0:" bus."', Told("The bus.")),
    "a thought, a tool and a failure": (
        'f:{"messageId":"m"}\ng:"Hm."\n9:{"toolCallId":"x","toolName":"times","args":{"a":1}}\n'
        'a:{"toolCallId":"x","result":"9:10"}\n0:"At 9."\n3:"No model"\n',
        Told("At 9.", reasoning="Hm.", tools=(("times", '{"a": 1}', "9:10"),), errors=(("AgentError", "No model"),)),
    ),
    "a tool in pieces": (
        'f:{"messageId":"m"}\nb:{"toolCallId":"x","toolName":"times"}\n'
        'c:{"toolCallId":"x","argsTextDelta":"{\\"a\\":"}\nc:{"toolCallId":"x","argsTextDelta":"1}"}\n'
        '9:{"toolCallId":"x","toolName":"times","args":{"a":1}}\na:{"toolCallId":"x","result":{"t":9}}\n0:"ok"\n',
        Told("ok", tools=(("times", '{"a":1}', '{"t": 9}'),)),
    ),
    "data and a file": (
        '2:[{"chart":1}]\nk:{"mimeType":"image/png","data":"iVBORw0KGgo="}\n0:" Here."\n',
        Told("[image png, 8 bytes] Here.", others=("data-data",)),
    ),
    "a line that is none": ('0:"The"\n0:" bus."\nand words\n', Told("The bus.and words\n")),
    "a time": ("0:30 is half past midnight\n1:00 is one\n", Told("0:30 is half past midnight\n1:00 is one\n")),
    "a key": ('f: "x" is a flag\n', Told('f: "x" is a flag\n')),
    "a quotation": ('0:"The" is a word\n', Told('0:"The" is a word\n')),
}


@pytest.mark.parametrize("content_type", [PLAIN, "", "application/octet-stream"])
@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES.keys())
def test_lines_with_a_letter_are_events(body: str, expected: Told, content_type: str) -> None:
    assert told(parse(body.encode(), content_type=content_type)) == expected


@pytest.mark.parametrize("body", [body for body, _ in CASES.values()], ids=CASES.keys())
def test_such_lines_may_be_cut_anywhere(body: str) -> None:
    wire = body.encode()
    pieces = (wire[index : index + 1] for index in range(len(wire)))

    assert merged(parse(*pieces, content_type=PLAIN)) == merged(parse(wire, content_type=PLAIN))
