"""uvicorn's WebSocket with a shorter way out for frames that are ready: no message, no task, no copy for each viewer.

A page gets a frame for nearly every token. What ASGI's `send` does for one (a coroutine, a dictionary, its bytes anew
for each viewer) costs more than the words in it. uvicorn is started with `--ws=loom.web.websocket:DirectWebSocket`;
everything that is not a ready frame goes as in any other server.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from apps.core.requests.direct_write import EXTENSION


class DirectWebSocket(WebSocketsSansIOProtocol):
    """Offers `write_frame` to the application, as the extension `loom.write` of the scope."""

    async def run_asgi(self) -> None:
        if not self.conn.extensions:  # an extension that was negotiated may want to change every frame
            extensions = self.scope["extensions"]
            assert extensions is not None
            extensions[EXTENSION] = self.write_frame  # type: ignore[assignment] # typed for what has no methods
        await super().run_asgi()

    def write_frame(self, frame: bytes) -> bool:
        """Hand a whole frame to the connection, behind everything that was sent before.

        False, and nothing is written, where `send` would wait or raise: before the handshake is complete, once either
        side has begun to close, and while the viewer has not read what fills the transport's buffer.
        """
        if self.conn.state is not State.OPEN or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True
