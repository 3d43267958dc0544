"""The next piece of a text in the few shapes that agents send by the thousand, straight from its bytes.

msgspec reads these shapes several times as fast as dictionaries are made and asked. What it refuses, any other key
among it, says nothing about the answer: the readers of `events` and of the table decide what that is.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from apps.aws.stream.encoded import ENCODED, FIRST_SIGNS

BEDROCK, DATA, STRINGS = "bedrock", "data", "strings"
"""Of what kind the value before was; in a stream of another kind the same words may mean something else."""
JSON_SIGNS = ("{", "[")


class _Delta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    text: str


class _Block(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename="camel"):
    delta: _Delta
    content_block_index: int = 0


class _Event(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename="camel"):
    content_block_delta: _Block


class _Piece(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An event of Bedrock's as Strands hands it on, its callback beside it, or a text under `data` or `chunk`."""

    event: _Event | UnsetType = UNSET
    data: str | UnsetType = UNSET
    chunk: str | UnsetType = UNSET
    delta: _Delta | UnsetType = UNSET


_read_piece = msgspec.json.Decoder(_Piece).decode
_read_string = msgspec.json.Decoder(str).decode


def piece_in(data: bytes, kind: str) -> str | None:
    """The text of one JSON value that is a piece and nothing else in a stream of this kind; "" for a copy of one.

    None for whatever is, or may be, anything else: broken JSON and halves of surrogate pairs among it.
    """
    try:
        if kind is STRINGS:
            text = _read_string(data)
            return None if not text or (text[0] in FIRST_SIGNS and ENCODED.match(text)) else text
        piece = _read_piece(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    event = piece.event
    if event is not UNSET:
        return event.content_block_delta.delta.text if kind is BEDROCK else None
    said = piece.data
    if piece.delta is not UNSET:
        if said is UNSET or kind is BEDROCK:
            return None if said is UNSET else ""  # what Strands repeats of the event before
    elif kind is BEDROCK:
        return None
    elif said is UNSET:
        said = piece.chunk
    elif piece.chunk is not UNSET:
        return None
    return None if said is UNSET or said[:1] in JSON_SIGNS else said
