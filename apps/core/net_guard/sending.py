"""One request to an address that a user has typed, within limits of time and size.

For whoever may wait: a task of the worker. Redirects are not followed, whatever they lead to; the environment's proxies
are not used, for behind one nothing could be checked.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from django.utils.translation import gettext as _

from apps.core.exceptions import LoomError
from apps.core.net_guard.checking import addresses_of, parse_url

USER_AGENT = "Loom"
_PIECE = 8192


class CallFailedError(LoomError):
    """An address that may be called did not answer as HTTP, or not in time; what was sent may have arrived."""

    code = "call_failed"
    http_status = HTTPStatus.BAD_GATEWAY
    is_retryable = True


@dataclass(frozen=True, slots=True)
class Limits:
    """`total_s` is for everything after the name is known; more of an answer than `answer_bytes` is not read."""

    total_s: float = 10.0
    answer_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `is_cut` says that there was more of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    is_cut: bool

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def send(
    url: str,
    *,
    method: str = "POST",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    limits: Limits = Limits(),
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Check the address, connect to what was checked, and return what answers, whatever its status.

    `tls` replaces the authorities of this machine. Raises UrlRefusedError, and CallFailedError.
    """
    target = parse_url(url)
    addresses = addresses_of(target)
    until = time.monotonic() + limits.total_s
    sent = {"Host": target.host_header, "User-Agent": USER_AGENT, "Connection": "close", **(headers or {})}
    if method not in {"GET", "HEAD"}:
        sent["Content-Length"] = str(len(body))
    try:
        line = _connected(addresses, target.port, until)
        try:
            if target.scheme == "https":
                line.settimeout(_left(until))
                line = (tls or ssl.create_default_context()).wrap_socket(line, server_hostname=target.host)
            return _exchange(line, method, target.target, sent, body, until, limits.answer_bytes)
        finally:
            line.close()
    except ssl.SSLCertVerificationError as error:
        raise CallFailedError(
            _("%(host)s has a certificate that this machine does not trust.") % {"host": target.host},
            advice=_("Look at its name, its date and who has signed it."),
        ) from error
    except TimeoutError as error:
        raise CallFailedError(
            _("%(host)s did not answer within %(seconds)g s.") % {"host": target.host, "seconds": limits.total_s}
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise CallFailedError(
            _("%(host)s could not be reached, or did not answer as HTTP: %(kind)s.")
            % {"host": target.host, "kind": type(error).__name__}
        ) from error


def _connected(addresses: list[str], port: int, until: float) -> socket.socket:
    """A connection to the first of the checked addresses that takes one."""
    failure: OSError = ConnectionRefusedError()
    for number, address in enumerate(addresses):
        # One that does not answer must not use up the time of the next.
        share = _left(until) / (len(addresses) - number)
        try:
            return socket.create_connection((address, port), timeout=share)
        except OSError as error:
            failure = error
    raise failure


def _exchange(
    line: socket.socket, method: str, target: str, headers: Mapping[str, str], body: bytes, until: float, most: int
) -> Answer:
    # Its own host is never connected to: the line is there, and only its writing and reading of HTTP is used.
    connection = http.client.HTTPConnection("checked.invalid")
    connection.auto_open = 0
    connection.sock = _Bounded(line, until)  # what http.client asks of a socket
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body or None)
    response = connection.getresponse()
    pieces: list[bytes] = []
    size = 0
    while size <= most and (piece := response.read1(_PIECE)):
        pieces.append(piece)
        size += len(piece)
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, b"".join(pieces)[:most], is_cut=size > most)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Bounded:
    """A line whose whole exchange ends at an instant: a socket's own timeout begins anew with every byte."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line = line
        self._until = until

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(_left(self._until))
        self._line.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self._line, self._until))

    def close(self) -> None:
        """Whoever made the line closes it."""


class _Reading(io.RawIOBase):
    def __init__(self, line: socket.socket, until: float) -> None:
        self._line = line
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the one kind that BufferedReader gives
        self._line.settimeout(_left(self._until))
        return self._line.recv_into(buffer)
