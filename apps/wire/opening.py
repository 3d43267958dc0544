"""Opening connections: addresses, TCP, proxies, TLS."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from apps.wire.errors import ConnectError, ConnectTimedOutError, ProxyError, TlsError

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""What `getaddrinfo` tells of one address."""

# A stream may be silent for many minutes; network equipment forgets a quiet connection after about six.
_KEEPALIVE_PROBES = (("TCP_KEEPIDLE", 60), ("TCP_KEEPALIVE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))
# An address that does not answer must not use up the time of the next.
_LONGEST_FOR_ONE_ADDRESS_S = 3.0
_LONGEST_PROXY_ANSWER = 64 * 1024

_Protocol = TypeVar("_Protocol", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes and on which way. `tls` is None for plain HTTP; a proxy carries TLS only, unread."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    proxy: tuple[str, int] | None = None


async def open_connection(route: Route, make: Callable[[], _Protocol], *, timeout_s: float) -> _Protocol:
    """A protocol that `make` has made, with a connection under it. Raises `ConnectError` or one of its kinds."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _opened(route, make)
    except TimeoutError:
        raise ConnectTimedOutError("No connection in time.") from None
    except ssl.SSLError as error:
        raise TlsError("TLS could not be agreed on.") from error
    except OSError as error:
        kind = ConnectError if route.proxy is None else ProxyError
        raise kind("No connection.") from error


def kept_alive_socket(address: AddressInfo) -> socket.socket:
    """A socket that notices a dead peer within three minutes."""
    family, kind, protocol, _, _ = address
    new_socket = socket.socket(family, kind, protocol)
    new_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE_PROBES:
        if hasattr(socket, name):  # each system knows some of them
            new_socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return new_socket


async def _opened(route: Route, make: Callable[[], _Protocol]) -> _Protocol:
    loop = asyncio.get_running_loop()
    if route.proxy is None:
        connected = await _connected(route.host, route.port)
        name = None if route.tls is None else route.host
        _, protocol = await loop.create_connection(make, sock=connected, ssl=route.tls, server_hostname=name)
        return protocol
    transport, tunnel = await loop.create_connection(_Tunnel, sock=await _connected(*route.proxy))
    try:
        await tunnel.ask(route.host, route.port)
        protocol = make()
        assert route.tls is not None, "a proxy that reads the request is none of ours"
        secured = await loop.start_tls(transport, protocol, route.tls, server_hostname=route.host)
    except BaseException:
        transport.abort()
        raise
    if secured is None:  # it went away meanwhile
        raise ConnectionResetError
    protocol.connection_made(secured)
    return protocol


async def _connected(host: str, port: int) -> socket.socket:
    """A socket to the first of the host's addresses that answers."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = ConnectionRefusedError()
    for number, address in enumerate(addresses, 1):
        connecting = kept_alive_socket(address)
        connecting.setblocking(False)
        try:
            async with asyncio.timeout(_LONGEST_FOR_ONE_ADDRESS_S if number < len(addresses) else None):
                await loop.sock_connect(connecting, address[4])
        except OSError as error:
            connecting.close()
            failure = error
        except BaseException:
            connecting.close()
            raise
        else:
            return connecting
    raise failure


class _Tunnel(asyncio.Protocol):
    """A connection to a proxy until it leads to the host."""

    def __init__(self) -> None:
        self._received = b""
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    async def ask(self, host: str, port: int) -> None:
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._transport.write(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        await self._answered

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 and len(self._received) < _LONGEST_PROXY_ANSWER:
            return
        status = self._received.split(b"\r\n", 1)[0]
        # With TLS the client speaks first: what came behind the proxy's answer is none of the server's.
        if re.fullmatch(rb"HTTP/1\.[01] 2[0-9]{2}( .*)?", status) and end == len(self._received) - 4:
            self._settle(None)
        else:
            self._settle(ProxyError("The proxy will not connect."))

    def connection_lost(self, error: Exception | None) -> None:
        self._settle(ProxyError("The proxy hung up."))

    def _settle(self, error: ProxyError | None) -> None:
        if self._answered.done():
            return
        if error is None:
            self._answered.set_result(None)
        else:
            self._answered.set_exception(error)
