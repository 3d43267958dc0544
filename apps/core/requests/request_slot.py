"""A request has its turn, and with it a database connection; a view that waits for long gives both back meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

# Set by whoever serves the request.
give_back: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("give_back", default=None)


async def end_turn() -> None:
    """Give back the connection and the turn of this request: for an async view, before each wait for an agent.

    What it asks of the database afterwards opens another connection, closed by the next call or by the answer. Outside
    of a request this does nothing.
    """
    give = give_back.get()
    if give is not None:
        await give()
