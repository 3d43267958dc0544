"""An answer that is sent while it is made: of any length, without ever being in memory as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse

from apps.core.requests.request_slot import end_turn

# What is handed on at a time: each piece costs a turn of a thread.
PIECE_BYTES = 32_768


def streamed(request: HttpRequest, pieces: Iterable[bytes], **kwargs: Any) -> StreamingHttpResponse:
    """A response whose body is `pieces`, each made when the one before was sent.

    They may ask the database; nothing may stay open between two of them. Whoever reads slowly holds up no other
    request: between two pieces the turn is given back.
    """
    gathered = _gathered(pieces)
    is_async = hasattr(request, "scope")  # as the server of coroutines has it, whose module a worker never needs
    return StreamingHttpResponse(_by_threads(gathered) if is_async else gathered, **kwargs)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces."""
    kept = bytearray()
    for piece in pieces:
        kept += piece
        if len(kept) >= PIECE_BYTES:
            yield bytes(kept)
            kept.clear()
    if kept:
        yield bytes(kept)


async def _by_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await sync_to_async(_next)(pieces)) is not None:
        await end_turn()
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
