"""How an exchange fails, told apart by what it proves."""

from __future__ import annotations


class WireError(Exception):
    """An exchange did not come to its end. Texts hold nothing of the request or the answer."""


class ConnectError(WireError):
    """No connection could be made, so nothing was sent."""


class ConnectTimedOutError(ConnectError):
    """No connection in time."""


class TlsError(ConnectError):
    """The other side is not who it should be, or speaks no TLS that we know."""


class ProxyError(ConnectError):
    """The proxy is not there, or will not connect."""


class BrokenError(WireError):
    """The connection ended before the answer did, or what came is no HTTP; the request may have been read.

    `is_reset` tells a connection that broke from one that was closed.
    """

    def __init__(self, *, is_reset: bool) -> None:
        super().__init__("The connection was reset." if is_reset else "The connection was closed.")
        self.is_reset = is_reset


class NoHttpError(WireError):
    """What came is no answer in HTTP/1.1."""


class SilentError(WireError):
    """Nothing arrived for as long as the request allows."""


class ClosedError(WireError):
    """This side closed the exchange before its end."""
