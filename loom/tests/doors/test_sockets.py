from __future__ import annotations

import logging
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from loom.asgi import sockets
from loom.web.sockets import OwnOriginOnly

Headers = list[tuple[bytes, bytes]]
PUBLIC_ID = "0a0b0c0d-0000-4000-8000-00000000000a"
OWN: Headers = [(b"host", b"localhost:8000"), (b"origin", b"http://localhost:8000")]


async def knock(headers: Headers) -> list[str]:
    """Open a socket with these headers; return what the application saw and what the browser was sent."""
    events: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        events.append("application")

    messages = iter(["websocket.connect", "websocket.disconnect"])

    async def receive() -> dict[str, Any]:
        return {"type": next(messages), "code": 1006}

    async def send(message: dict[str, Any]) -> None:
        events.append(message["type"])

    scope = {"type": "websocket", "path": "/ws/", "headers": headers}
    await OwnOriginOnly(application)(scope, receive, send)
    return events


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (b"localhost:8000", b"http://localhost:8000"),
        (b"127.0.0.1:8000", b"http://127.0.0.1:8000"),
        (b"[::1]:8000", b"http://[::1]:8000"),
        (b"testserver", b"https://testserver"),
    ],
)
async def test_a_page_of_ours_opens_a_socket(host: bytes, origin: bytes) -> None:
    assert await knock([(b"Host", host), (b"Origin", origin)]) == ["application"]


@pytest.mark.parametrize(
    "origin",
    [
        b"null",
        b"",
        b"https://evil.example",
        b"http://localhost",
        b"http://localhost:8001",
        b"http://localhost:5173",  # the front end of development: the API only
        b"http://localhost:8000.evil.example",
        b"ftp://localhost:8000",
        b"localhost:8000",
        b"http://[",
        b"\xff",
    ],
)
async def test_any_other_page_does_not(origin: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="loom.web.sockets"):
        assert await knock([(b"host", b"localhost:8000"), (b"origin", origin)]) == ["websocket.close"]

    assert caplog.messages == ["socket refused: host or origin is not ours"]


async def test_a_cookie_without_an_origin_opens_nothing() -> None:
    assert await knock([(b"host", b"localhost:8000"), (b"cookie", b"sessionid=x")]) == ["websocket.close"]


TOKEN = (b"authorization", b"Bearer loom_x")


async def test_a_program_with_a_token_needs_no_origin() -> None:
    """Whether the token is good is asked further inside."""
    assert await knock([(b"host", b"localhost:8000"), TOKEN]) == ["application"]
    assert await knock([(b"host", b"localhost:8000"), TOKEN, (b"cookie", b"sessionid=x")]) == ["websocket.close"]
    assert await knock([(b"host", b"evil.example"), TOKEN]) == ["websocket.close"]


@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"", b"10.0.0.5:8000"])
async def test_an_unknown_host_opens_nothing(host: bytes) -> None:
    """DNS rebinding: page and socket agree on a foreign name that points at this machine."""
    assert await knock([(b"host", host), (b"origin", b"http://" + host)]) == ["websocket.close"]


async def test_a_socket_without_a_host_opens_nothing(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]

    assert await knock([(b"origin", b"null")]) == ["websocket.close"]


@pytest.mark.parametrize(
    "path",
    ["/ws/nope/", "/ws/", "/", "/ws/sessions/", f"/ws/sessions/{PUBLIC_ID}", f"/ws/sessions/{PUBLIC_ID.upper()}/"],
)
@pytest.mark.parametrize("headers", [OWN, [(b"host", b"localhost:8000"), TOKEN]], ids=["page", "program"])
@pytest.mark.django_db(transaction=True)
async def test_an_address_without_a_socket_is_404_and_no_error(
    path: str, headers: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    caller = WebsocketCommunicator(sockets, path, headers=headers)
    caller.scope["extensions"] = {"websocket.http.response": {}}
    await caller.send_input({"type": "websocket.connect"})
    start, body = [await caller.receive_output(10) for _ in range(2)]
    await caller.wait(10)

    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert body["body"] == b"There is no such socket." and caplog.messages == []
    plain = WebsocketCommunicator(sockets, path, headers=headers)
    assert await plain.connect(10) == (False, 4404)
