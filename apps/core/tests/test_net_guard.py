from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apps.core.net_guard.checking import NameUnknownError, UrlRefusedError, addresses_of, check_url, may_call, parse_url
from apps.core.net_guard.sending import CallFailedError, Limits, send

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
REFUSED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.1", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1",
    "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%2", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001::1", "2001:0:7f00:1::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1", "4000::1",
]  # fmt: skip
CALLED = ["8.8.8.8", "1.1.1.1", "52.94.236.248", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::5"]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused_until_its_own_network_is_allowed(address: str) -> None:
    found = ipaddress.ip_address(address)
    own = ipaddress.ip_network(address.partition("%")[0])

    assert not may_call(found, ())
    assert not may_call(found, LOOPBACK) or address.startswith("127.")
    assert may_call(ipaddress.ip_address(address.partition("%")[0]), (own,))


@pytest.mark.parametrize("address", CALLED)
def test_a_public_address_is_called(address: str) -> None:
    assert may_call(ipaddress.ip_address(address), ())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/",
        "http://127.1/", "http://0/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
        "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest/", "http://[64:ff9b::a9fe:a9fe]/",
        "https://10.0.0.1:8443/x",
    ],
)  # fmt: skip
def test_whatever_a_name_or_number_is_written_as_what_it_leads_to_decides(url: str) -> None:
    with pytest.raises(UrlRefusedError, match="private or reserved") as caught:
        check_url(url)

    assert "ALLOWED_NETWORKS" in caught.value.text()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.com/", "begins with https"),
        ("file:///etc/passwd", "begins with https"),
        ("gopher://example.com/", "begins with https"),
        ("//example.com/", "begins with https"),
        ("example.com", "begins with https"),
        ("https://", "begins with https"),
        ("https://user:sesame@example.com/", "name or password"),
        ("https://sesame@example.com/", "name or password"),
        ("https://example.com@127.0.0.1/", "name or password"),
        ("https://example.com\\@127.0.0.1/", "sign that no address has"),
        ("https://example.com/\r\nHost: x", "sign that no address has"),
        ("https://exa mple.com/", "sign that no address has"),
        ("https://exämple.com/", "sign that no address has"),
        ("https://example.com:0/", "no port 0"),
        ("https://example.com:99999/", "no address"),
        ("https://[::1/", "no address"),
        ("https://example.com/" + "x" * 2000, "longer than"),
    ],
)
def test_what_is_no_address_to_be_called_is_refused_in_words_that_repeat_no_secret(url: str, said: str) -> None:
    with pytest.raises(UrlRefusedError, match=said) as caught:
        parse_url(url)

    assert "sesame" not in caught.value.text()


def test_a_url_is_taken_apart_as_it_goes_out() -> None:
    plain, own = parse_url("https://Example.com?x=1#part"), parse_url("http://[2606:4700::1111]:8080/a%20b?c=d")

    assert (plain.host, plain.port, plain.target, plain.host_header) == ("example.com", 443, "/?x=1", "example.com")
    assert (own.target, own.host_header) == ("/a%20b?c=d", "[2606:4700::1111]:8080")


def test_a_name_that_leads_nowhere_may_be_tried_again() -> None:
    with pytest.raises(NameUnknownError, match="leads nowhere") as caught:
        check_url("https://no-such-name.invalid/")

    assert caught.value.is_retryable


def is_whole(request: bytes) -> bool:
    """Whether nothing of what its head announces is on the way; what has no length is as long as it is."""
    head, _blank, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(request) and len(body) >= (int(length[1]) if length else 0)


@contextmanager
def answering(*pieces: bytes, gap: threading.Event | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that reads one request, writes the pieces, and between them waits for `gap`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def serve() -> None:
            line, _address = server.accept()
            with line:
                heard.append(b"")
                while not is_whole(heard[0]) and (piece := line.recv(65536)):
                    heard[0] += piece
                try:
                    for piece in pieces:
                        line.sendall(piece)
                        if gap is not None:
                            gap.wait(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            thread.join()


@pytest.fixture
def on_loopback(settings: Any) -> None:
    settings.ALLOWED_NETWORKS = LOOPBACK


@pytest.mark.usefixtures("on_loopback")
def test_a_request_arrives_with_its_name_and_nothing_that_was_not_given() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (port, heard):
        answer = send(f"http://localhost:{port}/hook?x=1", body=b"{}", headers={"Content-Type": "application/json"})

    assert (answer.status, answer.body, answer.is_success, answer.is_cut) == (200, b"ok", True, False)
    head = heard[0].decode()
    assert head.startswith("POST /hook?x=1 HTTP/1.1\r\n") and head.endswith("\r\n\r\n{}")
    assert f"Host: localhost:{port}\r\n" in head and "checked.invalid" not in head


@pytest.mark.usefixtures("on_loopback")
def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    with answering(away) as (port, heard):
        answer = send(f"http://127.0.0.1:{port}/")

    assert (answer.status, answer.is_success, len(heard)) == (302, False, 1)


@pytest.mark.usefixtures("on_loopback")
def test_of_an_endless_answer_no_more_is_read_than_allowed() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 1000] * 50) as (port, _heard):
        answer = send(f"http://127.0.0.1:{port}/", limits=Limits(answer_bytes=10_000))

    assert (len(answer.body), answer.is_cut) == (10_000, True)


@pytest.mark.usefixtures("on_loopback")
@pytest.mark.parametrize(
    "pieces", [(b"HTTP/1.1 200 OK\r\nX: ", *[b"y"] * 100), (b"HTTP/1.1 200 OK\r\n\r\n", *[b"z"] * 100)]
)
def test_who_drips_bytes_does_not_hold_a_worker(pieces: tuple[bytes, ...]) -> None:
    with (
        answering(*pieces, gap=threading.Event()) as (port, _heard),
        pytest.raises(CallFailedError, match=r"within 0\.5 s"),
    ):
        send(f"http://127.0.0.1:{port}/", limits=Limits(total_s=0.5))


@pytest.mark.usefixtures("on_loopback")
def test_what_is_no_http_or_hangs_up_is_said_so() -> None:
    for pieces in ([b"SSH-2.0-OpenSSH\r\n"], []):
        with answering(*pieces) as (port, _heard), pytest.raises(CallFailedError, match="did not answer as HTTP"):
            send(f"http://127.0.0.1:{port}/")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(CallFailedError, match="ConnectionRefusedError"):
        send(f"http://127.0.0.1:{port}/")


@pytest.mark.usefixtures("on_loopback")
def test_a_header_cannot_carry_another_line() -> None:
    with answering() as (port, heard), pytest.raises(ValueError, match="Invalid header"):
        send(f"http://127.0.0.1:{port}/", headers={"X-Name": "a\r\nX-Other: b"})
    assert heard == [b""]


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """A name server that says something harmless first and loopback afterwards: it is asked once."""
    asked: list[str] = []
    resolve = socket.getaddrinfo

    def rebinding(host: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        if host == "rebinding.test":
            # 127.0.0.2 stands for the harmless one, and is the only one that is allowed here.
            return resolve("127.0.0.2" if asked.count(host) == 1 else "127.0.0.1", *args, **kwargs)
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    settings.ALLOWED_NETWORKS = (ipaddress.ip_network("127.0.0.2/32"),)
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0.2)
        with pytest.raises(CallFailedError, match="could not be reached"):
            send(f"http://rebinding.test:{inside.getsockname()[1]}/")
        with pytest.raises(TimeoutError):
            inside.accept()
    assert asked.count("rebinding.test") == 1


def test_one_forbidden_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(2, 1, 6, "", ("8.8.8.8", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: both)

    with pytest.raises(UrlRefusedError, match=r"10\.0\.0\.1"):
        addresses_of(parse_url("https://split.test/"))


@pytest.mark.usefixtures("on_loopback")
def test_a_certificate_of_nobody_known_is_refused() -> None:
    refused = pytest.raises(CallFailedError, match="could not be reached, or did not answer")
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as (port, _heard), refused:
        send(f"https://127.0.0.1:{port}/")
    context = ssl.create_default_context()
    assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED
