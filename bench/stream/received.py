"""What a client received, read after the measurement: which token when, and whether all of them came as they should."""

from __future__ import annotations

import json
import re
import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from operator import attrgetter

from bench.stream.stamps import STAMP, Token, is_complete, tokens_in

TEXT, PING = 0x1, 0x9
# Trees before the messages were JSON tell the end by an element.
SOCKET_END = (b'{"kind":"end"', b'{"kind":"finished"', b'data-kind="finished"')
END_MARKS = {"socket": SOCKET_END, "sse": (b"event: session_end",), "direct": ()}
_APPENDED = re.compile(rb'<\w+ id="([\w-]*-output)"[^>]* hx-swap-oob="beforeend')
_ELEMENT = re.compile(rb"hx-swap-oob=")

Read = tuple[int, bytes]
"""Bytes as one read gave them, with the instant in microseconds of CLOCK_MONOTONIC."""


@dataclass(slots=True)
class StreamLog:
    """Everything one client saw of one answer."""

    asked_us: int = 0
    ended_us: int = 0
    reads: list[Read] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it arrived; `defect` says what is wrong with it, if anything is."""

    asked_us: int
    ended_us: int
    tokens: list[Token]
    defect: str = ""

    @property
    def ttft_us(self) -> int:
        """From the request to the first token."""
        return self.tokens[0].received_us - self.asked_us

    @property
    def end_us(self) -> int:
        """From the source's write of the last token to the sign of the end."""
        last = self.tokens[-1]
        return self.ended_us - last.received_us + last.lag_us


def read_answer(log: StreamLog, door: str, count: int) -> Answer:
    """Read one client's log; the answer should hold `count` tokens."""
    if door == "socket":
        tokens, defect = _from_messages(list(socket_messages(log.reads)), count)
    else:
        tokens = _from_bytes(log.reads)
        defect = "" if is_complete((token.number for token in tokens), count) else _difference(tokens, count)
    if not defect and not log.ended_us:
        defect = "the end was not told"
    return Answer(log.asked_us, log.ended_us, tokens, defect)


def _difference(tokens: list[Token], count: int) -> str:
    for place, token in enumerate(tokens):
        if token.number != place:
            return f"token {token.number} stands where {place} belongs"
    return f"{len(tokens)} of {count} tokens came"


def _from_bytes(reads: list[Read]) -> list[Token]:
    """The tokens of a byte stream, each with the instant of the read that completed it."""
    ends = list(accumulate(len(data) for _, data in reads))
    tokens = []
    for match in STAMP.finditer(b"".join(data for _, data in reads)):
        received_us = reads[bisect_left(ends, match.end())][0]
        tokens.append(Token(int(match[1], 16), int(match[2], 16), received_us))
    return tokens


def _from_messages(messages: list[Read], count: int) -> tuple[list[Token], str]:
    """The tokens of HTML frames, each when it first stood on the page, and the first defect.

    A frame may show tokens again, for it replaces what is still open. It may leave none out, what it appends to the
    closed part of the answer has to be new there, and the finished turn has to hold every token once.
    """
    tokens: list[Token] = []
    appended: list[int] = []
    defect = ""
    last: list[Token] = []
    for received_us, html in messages:
        shown = tokens_in(html, received_us)
        if not shown:
            continue
        last = shown
        for element, is_appended in _elements(html):
            numbers = [token.number for token in tokens_in(element, received_us)]
            if numbers and not is_complete((number - numbers[0] for number in numbers), len(numbers)):
                defect = defect or f"a frame shows the tokens {numbers}"
            if is_appended:
                appended += numbers
        # What an element closes may stand behind what another one opens: a frame counts as a whole.
        for token in sorted(shown, key=attrgetter("number")):
            if token.number == len(tokens):
                tokens.append(token)
            elif token.number > len(tokens):
                defect = defect or f"token {token.number} came before token {len(tokens)}"
    # Who joins late is given what was closed before; from there nothing may be missing or come twice.
    if not is_complete((number - appended[0] for number in appended), len(appended)):
        defect = defect or "closed text was appended twice or out of order"
    if not is_complete((token.number for token in last), count):
        defect = defect or f"the finished turn shows {len(last)} of {count} tokens"
    return tokens, defect


def _elements(message: bytes) -> Iterator[tuple[bytes, bool]]:
    """The parts of the page that a message changes, and whether each is added to what is closed.

    Trees before the messages were JSON send out-of-band elements, which are never nested.
    """
    if not message.startswith(b"{"):
        for element in _oob_elements(message):
            yield element, _APPENDED.search(element) is not None
        return
    said = json.loads(message)
    for name in ("steps", "closed", "html"):
        if html := said.get(name):
            yield html.encode(), name == "closed"


def _oob_elements(html: bytes) -> Iterator[bytes]:
    starts = [html.rfind(b"<", 0, match.start()) for match in _ELEMENT.finditer(html)]
    for start, end in zip(starts, [*starts[1:], len(html)], strict=True):
        yield html[start:end]


def socket_messages(reads: list[Read]) -> Iterator[Read]:
    """The text messages of a WebSocket, each with the instant of the read that completed it."""
    rest = b""
    for received_us, data in reads:
        rest += data
        position = 0
        while (frame := frame_at(rest, position)) is not None:
            opcode, start, end = frame
            if opcode == TEXT:
                yield received_us, rest[start:end]
            position = end
        rest = rest[position:]


def frame_at(data: bytes, position: int) -> tuple[int, int, int] | None:
    """The opcode of the server's frame at `position` and where its payload starts and ends; None if it is not whole."""
    if len(data) < position + 2:
        return None
    opcode, length, start = data[position] & 0x0F, data[position + 1] & 0x7F, position + 2
    if length >= 126:
        size = 2 if length == 126 else 8
        if len(data) < start + size:
            return None
        (length,) = struct.unpack_from("!H" if size == 2 else "!Q", data, start)
        start += size
    end: int = start + length
    return (opcode, start, end) if len(data) >= end else None
