"""Whoever sits at this machine is signed in, and nobody else: a server started by hand, without the supervisor's care.

It listens on every address, as somebody might start it, and is spoken to through 127.0.0.1 alone.
"""

from __future__ import annotations

import http.client
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from loom.tests.running import Running, free_port

LOGIN = "/accounts/login/?next=/agents/"
SOCKET = "/ws/sessions/00000000-0000-4000-8000-000000000000/"
FORWARDED = {
    "Forwarded": "for=127.0.0.1",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "localhost",
    "X-Forwarded-Proto": "http",
    "X-Real-IP": "127.0.0.1",
    "Via": "1.1 proxy",
}


@dataclass(frozen=True)
class Web:
    """A web process; every request goes to 127.0.0.1, whatever its Host header says."""

    port: int

    def ask(self, path: str, *, host: str = "", method: str = "GET", **headers: str) -> tuple[int, str, str]:
        """Return status, Location and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in {"Host": host or f"localhost:{self.port}", **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location", ""), answer.read().decode()
        finally:
            connection.close()

    def open_socket(self, origin: str | None, **headers: str) -> int:
        """Open a session's socket; return the HTTP status of a refusal, else the code with which it was closed.

        4404 is said to who is signed in, as there is no such session; 4401 to who is not.
        """
        wanted: Any = origin
        try:
            with connect(
                f"ws://localhost:{self.port}{SOCKET}",
                origin=wanted,
                additional_headers=headers,
                open_timeout=60,
                proxy=None,
            ) as socket:
                socket.recv(60)
        except InvalidStatus as refusal:
            return refusal.response.status_code
        except ConnectionClosed as end:
            assert end.rcvd is not None
            return end.rcvd.code
        raise AssertionError("the socket said something")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    database = tmp_path_factory.mktemp("web") / "loom.db"
    environment = {"DATABASE_URL": f"sqlite:///{database}", "DEBUG": "1", "AUTH_DISABLED": "1"}
    with Running("manage.py", "migrate", "--verbosity=0", environment=environment) as migrate:
        assert migrate.wait_for_end() == 0
    port = free_port()
    command = ["-m", "uvicorn", "--host", "0.0.0.0", "--port", str(port), "loom.asgi:application"]  # noqa: S104 -- on purpose
    with Running(*command, environment=environment) as running:
        running.wait_for_line("Uvicorn running on")
        yield Web(port)
        running.process.send_signal(signal.SIGTERM)
        running.wait_for_end()


def test_this_machine_is_signed_in(web: Web) -> None:
    for host in ("localhost", f"localhost:{web.port}", f"127.0.0.1:{web.port}", f"[::1]:{web.port}"):
        status, _, page = web.ask("/agents/", host=host)
        assert (host, status, "dev@local" in page) == (host, 200, True)
    assert web.ask("/api/agents")[0] == 200


def test_another_name_is_refused_and_learns_nothing(web: Web) -> None:
    """DNS rebinding: evil.example points at 127.0.0.1, and its page can read what is answered."""
    for path in ("/agents/", "/api/agents", "/nowhere/", "/healthz"):
        status, _, page = web.ask(path, host=f"evil.example:{web.port}")
        assert (status, "dev@local" in page, "SECRET_KEY" in page) == (400, False, False)


@pytest.mark.parametrize("name", FORWARDED)
def test_what_a_proxy_passed_on_has_to_sign_in(web: Web, name: str) -> None:
    headers = {name: FORWARDED[name]}

    assert web.ask("/agents/", **headers)[:2] == (302, LOGIN)
    assert web.ask("/api/agents", **headers)[0] == 401
    assert web.open_socket(f"http://localhost:{web.port}", **headers) == 4401


def test_a_foreign_page_changes_nothing(web: Web) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        for path in ("/agents/register/", "/sessions/start/1/", "/api/agents", "/api/agents/1/invoke"):
            assert web.ask(path, method="POST", **headers)[0] == 403


def test_a_page_of_ours_opens_a_socket(web: Web) -> None:
    assert web.open_socket(f"http://localhost:{web.port}") == 4404


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://localhost:5173"])
def test_any_other_page_opens_none(web: Web, origin: str | None) -> None:
    assert web.open_socket(origin) == 403


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"DEBUG": "0"}, "AUTH_DISABLED: everyone would be signed in: only with DEBUG=1"),
        ({"DEBUG": "1", "BACKEND_HOST": "0.0.0.0"}, "strangers on the network would be signed in: use 127.0.0.1"),  # noqa: S104 -- refused
    ],
)
def test_no_server_starts_where_strangers_would_be_signed_in(
    environment: dict[str, str], reason: str, tmp_path: Path
) -> None:
    environment |= {"AUTH_DISABLED": "1", "DATABASE_URL": f"sqlite:///{tmp_path}/loom.db"}
    command = ["-m", "uvicorn", "--host", "127.0.0.1", "--port", str(free_port()), "loom.asgi:application"]

    with Running(*command, environment=environment) as running:
        assert running.wait_for_end() != 0
        assert [line for line in running.output if reason in line]
