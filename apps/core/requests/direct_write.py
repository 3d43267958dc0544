"""Writing more of an answer that has begun straight to its connection, past what lies between a view and the server.

A socket has the same: there it is the next frame, whole and ready.

Our server offers it as an extension of ASGI, `loom.write`; another one does not, nor does a test client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

EXTENSION = "loom.write"
# Takes the next bytes of the body of a streamed answer, at least one; never waits. False, and nothing was written,
# where the connection takes no more for now, is closing, or carries no such body. Then the view's own iterator goes on:
# the server makes it wait for its turn.
DirectWrite = Callable[[bytes], bool]


def direct_write(request: HttpRequest) -> DirectWrite | None:
    """What the server of this request offers.

    Not for the view of a response that a middleware changes the content of, as by compressing it: Loom has none.
    """
    scope: dict[str, Any] = getattr(request, "scope", {})
    found: DirectWrite | None = scope.get("extensions", {}).get(EXTENSION)
    return found
