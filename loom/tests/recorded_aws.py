"""AWS on loopback for tests in aws mode: an HTTPS proxy that answers for AWS's hosts out of the emulator.

boto3 and aiobotocore are led to it as to a company's proxy, by HTTPS_PROXY and AWS_CA_BUNDLE, so that nothing of Loom
knows of it. It writes down every call, which shows the permissions that a feature needs.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.aws.tests.emulator_process import Emulator

ACCOUNT = "123456789012"
REGION = "us-east-1"
HOSTS = f"*.{REGION}.amazonaws.com"

_PREFIX_BY_HOST = {
    "bedrock-agentcore": "bedrock-agentcore",
    "bedrock-agentcore-control": "bedrock-agentcore",
    "logs": "logs",
    "monitoring": "cloudwatch",
    "sts": "sts",
}
# AgentCore names its operations by method and path, as its service model says.
_AGENTCORE_OPERATIONS = (
    ("POST", r"/runtimes/", "ListAgentRuntimes"),
    ("GET", r"/runtimes/(?P<id>[^/]+)/", "GetAgentRuntime"),
    ("POST", r"/runtimes/(?P<id>[^/]+)/runtime-endpoints/", "ListAgentRuntimeEndpoints"),
    ("POST", r"/runtimes/(?P<id>[^/]+)/versions/", "ListAgentRuntimeVersions"),
    ("POST", r"/runtimes/(?P<arn>[^/]+)/invocations", "InvokeAgentRuntime"),
    ("POST", r"/runtimes/(?P<arn>[^/]+)/stopruntimesession", "StopRuntimeSession"),
)
_HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True)
class Call:
    """One permission that AWS would have checked: an IAM action, on every one of these resources."""

    action: str
    resources: tuple[str, ...]


def read_call(host: str, method: str, path: str, headers: dict[str, str], body: bytes) -> Call:
    """What a request asks for, in IAM's words; an unknown one comes back as itself, so that no test overlooks it."""
    prefix = _PREFIX_BY_HOST.get(host.partition(".")[0], host)
    url = urlsplit(path)
    if prefix == "bedrock-agentcore":
        return _read_agentcore(method, url.path, parse_qs(url.query))
    if prefix == "logs":
        group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{json.loads(body)['logGroupName']}"
        return Call(f"logs:{headers['x-amz-target'].rpartition('.')[2]}", (group, f"{group}:*"))
    operation = (
        headers.get("x-amz-target", "").rpartition(".")[2]
        or url.path.partition("/operation/")[2]
        or parse_qs(body.decode()).get("Action", [f"{method} {url.path}"])[0]
    )
    return Call(f"{prefix}:{operation}", ("*",))


def _read_agentcore(method: str, path: str, query: dict[str, list[str]]) -> Call:
    for known_method, pattern, operation in _AGENTCORE_OPERATIONS:
        match = re.fullmatch(pattern, path)
        if match is None or method != known_method:
            continue
        found = match.groupdict()
        if "arn" in found:
            runtime = unquote(found["arn"]).partition("/runtime-endpoint/")[0]
            resources: tuple[str, ...] = (runtime, f"{runtime}/runtime-endpoint/{query['qualifier'][0]}")
        else:
            resources = (f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:runtime/{found['id']}",) if found else ("*",)
        return Call(f"bedrock-agentcore:{operation}", resources)
    return Call(f"bedrock-agentcore:{method} {path}", ("*",))


@dataclass
class RecordedAws:
    """What was asked since the last `forget`, and where the files of the caller's home are."""

    home: Path
    calls: list[Call] = field(default_factory=list)

    def forget(self) -> None:
        self.calls.clear()

    @property
    def actions(self) -> set[str]:
        return {call.action for call in self.calls}


class _Handler(BaseHTTPRequestHandler):
    """Takes a CONNECT, speaks TLS in AWS's name, and passes what it hears to the emulator."""

    protocol_version = "HTTP/1.1"
    server: _Proxy
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        self.send_response_only(200)
        self.end_headers()
        self.rfile.close()
        self.connection: ssl.SSLSocket = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.server.remember(self.connection)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")
        self.close_connection = False

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.aws.calls.append(read_call(self.host, self.command, self.path, headers, body))
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.emulator_port)
        try:
            passed = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
            upstream.request(self.command, self.path, body, passed)
            with upstream.getresponse() as answer:
                self._pass(answer)
        finally:
            upstream.close()

    do_GET = do_POST = do_PUT = forward  # noqa: N815 -- the names http.server calls

    def _pass(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while data := answer.read1(65536):
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output quiet."""


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, aws: RecordedAws, tls: ssl.SSLContext, emulator_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.aws = aws
        self.tls = tls
        self.emulator_port = emulator_port
        self._open: list[ssl.SSLSocket] = []

    def remember(self, connection: ssl.SSLSocket) -> None:
        self._open.append(connection)

    def hang_up(self) -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that closes a stream half-way is what some tests are about."""


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for AWS's hosts that nobody else trusts: its file, and the server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AWS on loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOSTS)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "aws.pem", folder / "aws.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem, key_pem)
    return pem, tls


@contextmanager
def _proxy(aws: RecordedAws, emulator: Emulator) -> Iterator[tuple[str, Path]]:
    """Run the proxy; yields its URL and the file of its certificate."""
    pem, tls = _certificate(aws.home)
    port = urlsplit(emulator.url).port
    assert port is not None
    server = _Proxy(aws, tls, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", pem
    finally:
        server.shutdown()
        server.hang_up()
        thread.join()
        server.server_close()


AMBIENT: Sequence[str] = (
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "NO_PROXY", "no_proxy",
)  # fmt: skip


@pytest.fixture
def aws_home(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """aws mode with a home folder of the test's own, in which there are no credentials, and no way out of loopback."""
    for name in AMBIENT:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".aws").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws" / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws" / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the port of "discard": nothing listens there
    settings.LOOM_AWS = "aws"
    settings.AWS_REGION = REGION
    settings.AWS_PROFILE = None
    return tmp_path


@pytest.fixture
def recorded_aws(
    emulator: Emulator, aws_home: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RecordedAws]:
    """aws mode with valid credentials, AWS being the emulator behind the proxy."""
    # Clients are kept per connection, so that a profile of its own gives each test new ones.
    settings.AWS_PROFILE = profile = f"test-{uuid.uuid4().hex[:8]}"
    (aws_home / ".aws" / "credentials").write_text(
        f"[{profile}]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x\n", encoding="utf-8"
    )
    aws = RecordedAws(aws_home)
    with _proxy(aws, emulator) as (url, certificate):
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, url)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        yield aws
