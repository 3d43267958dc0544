"""A server that says exactly what a test wants, byte by byte, and a pool to ask it with."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.wire.connection import Request
from apps.wire.exchange import Exchange
from apps.wire.opening import Route
from apps.wire.pool import Pool

PATIENCE_S = 20
HOST = "wire.test"


class Peer:
    """The server's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(PATIENCE_S)

    def request(self) -> bytes:
        """The next request, head and body; empty where there is none."""
        data = self.until(b"\r\n\r\n")
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split()[0]) if b"ontent-" in head else 0
        received = bytearray(body)
        while len(received) < length and (more := self.connection.recv(1 << 20)):
            received += more
        return head + b"\r\n\r\n" + received if head else b""

    def until(self, end: bytes) -> bytes:
        data = b""
        while end not in data and (more := self.connection.recv(65_536)):
            data += more
        return data

    def say(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.sendall(part)

    def encrypt(self, context: ssl.SSLContext) -> None:
        self.connection = context.wrap_socket(self.connection, server_side=True)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def has_hung_up(self) -> bool:
        try:
            return self.connection.recv(1) == b""
        except ConnectionResetError:
            return True


Script = Callable[[Peer], None]


class Server:
    """Plays one script for each connection, the last again; `count` says how many came."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.count = 0
        self.failures: list[Exception] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                script = self._scripts[min(self.count, len(self._scripts) - 1)]
                self.count += 1
                self._threads.append(threading.Thread(target=self._play, args=(script, connection)))
                self._threads[-1].start()

    def _play(self, script: Script, connection: socket.socket) -> None:
        peer = Peer(connection)
        try:
            script(peer)
        except Exception as error:
            self.failures.append(error)
        finally:
            peer.connection.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join()


@contextmanager
def serving(*scripts: Script) -> Iterator[Server]:
    server = Server(*scripts)
    try:
        yield server
    finally:
        server.close()


def certificate(folder: Path, name: str = HOST) -> tuple[Path, ssl.SSLContext]:
    """A certificate for a host that nobody else trusts: its file, and the server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "on loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "host.pem", folder / "host.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_pem)
    return pem, context


def request(body: bytes = b"{}") -> Request:
    return Request("POST", "/path?query=1", [("Host", HOST), ("Content-Length", str(len(body)))], body)


def plain(server: Server) -> Route:
    return Route("127.0.0.1", server.port)


def new_pool(*, keep_s: float = 60.0, most: int = 100, connect_timeout_s: float = PATIENCE_S) -> Pool:
    return Pool(keep_s=keep_s, most=most, connect_timeout_s=connect_timeout_s)


async def ask(pool: Pool, route: Route, body: bytes = b"{}", *, silence_s: float = PATIENCE_S) -> Exchange:
    return await pool.send(route, request(body), silence_s=silence_s)


async def body_of(exchange: Exchange) -> bytes:
    received: list[bytes] = []
    await exchange.deliver(received.append)
    return b"".join(received)


async def happened(event: threading.Event) -> bool:
    return await asyncio.to_thread(event.wait, PATIENCE_S)
