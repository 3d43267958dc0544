"""The tokens of the benchmark: each carries its number and the instant it was sent, through whatever renders it.

A token is a word `Z`, four hexadecimal digits of its number in the stream, eight of CLOCK_MONOTONIC in microseconds
(modulo 2**32, about 71 minutes). Around the words stands markdown as a model writes it: sentences, bold words, lists.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

STAMP = re.compile(rb"Z([0-9a-f]{4})([0-9a-f]{8})")
PLACEHOLDER = "Z" + 12 * "0"
MOST_TOKENS = 0xFFFF
_WRAP_US = 2**32

SENTENCE = 12
PARAGRAPH = 36
LIST_ITEMS, ITEM = 3, 8
CYCLE = PARAGRAPH + LIST_ITEMS * ITEM
"""Tokens until the text repeats: a paragraph of three sentences with one bold word each, and a list."""


def now_us() -> int:
    return time.monotonic_ns() // 1000


def text_around(number: int) -> tuple[str, str]:
    """What stands before and after the word of token `number`."""
    place = number % CYCLE
    if place < PARAGRAPH:
        bold = "**" if place % SENTENCE == 5 else ""
        before = ("" if place == 0 else " ") + bold
        if place == PARAGRAPH - 1:
            return before, bold + ".\n\n"
        return before, bold + ("." if place % SENTENCE == SENTENCE - 1 else "," if place % SENTENCE == 8 else "")
    place -= PARAGRAPH
    before = "- " if place % ITEM == 0 else " "
    if place == LIST_ITEMS * ITEM - 1:
        return before, "\n\n"
    return before, "\n" if place % ITEM == ITEM - 1 else ""


def sse_frame(number: int, padding: int = 0) -> tuple[bytes, bytes]:
    """The bytes of the SSE frame of token `number`, before and after its twelve digits: an event of ConverseStream.

    With padding each token is a paragraph of so many characters more.
    """
    before, after = ("", f"{' word' * (padding // 5)}.\n\n") if padding else text_around(number)
    event = {
        "event": {"contentBlockDelta": {"delta": {"text": f"{before}{PLACEHOLDER}{after}"}, "contentBlockIndex": 0}}
    }
    head, tail = f"data: {json.dumps(event)}\n\n".split(PLACEHOLDER)
    return f"{head}Z".encode(), tail.encode()


@dataclass(frozen=True, slots=True)
class Token:
    """One token as it was received."""

    number: int
    sent_us: int
    received_us: int

    @property
    def lag_us(self) -> int:
        """From the source's write to the client's read; the clock's wrap is undone."""
        return (self.received_us - self.sent_us) % _WRAP_US


def tokens_in(data: bytes, received_us: int) -> list[Token]:
    """The tokens in `data`, in their order."""
    return [Token(int(number, 16), int(sent, 16), received_us) for number, sent in STAMP.findall(data)]


def is_complete(numbers: Iterable[int], count: int) -> bool:
    """Whether these are all `count` numbers, each once and in order."""
    return list(numbers) == list(range(count))
