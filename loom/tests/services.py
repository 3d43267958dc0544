"""PostgreSQL and Redis as real servers, and a whole Loom on top of them.

Installed programs are started on free loopback ports with their data in a temporary folder. Where a program is missing,
the tests that need it are skipped; continuous integration brings the programs and allows no skip.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import dj_database_url
import pytest
from django.db import connection, connections

from loom.tests.fixtures import Loom, running_loom
from loom.tests.servers import PostgresServer, RedisServer, postgres_programs, server_account


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own with an empty database."""
    programs, account = postgres_programs(), server_account()
    # Not below pytest's folder, which only we may enter.
    folder = Path(tempfile.mkdtemp(prefix="loom-postgres-"))
    try:
        if account is not None:
            shutil.chown(folder, account)
        server = PostgresServer(folder, programs, account=account)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of our own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path_factory.mktemp("redis"), program)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class HostileAgent(BaseHTTPRequestHandler):
    """An agent behind the emulator that answers with what PostgreSQL refuses to store, in the way it is asked for."""

    answers: ClassVar[dict[str, bytes]] = {
        "text": b'data: "one\\u0000two "\n\ndata: "three\\ud800four"\n\n',
        "error": b'data: {"error": "one\\u0000two", "error_type": "' + 300 * b"E" + b'"}\n\n',
        "usage": b'data: {"event": {"metadata": {"usage": '
        b'{"inputTokens": 3000000000, "outputTokens": 7, "totalTokens": 3000000007}}}}\n\n',
    }

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer("text/event-stream", self.answers[payload["prompt"]])

    def do_GET(self) -> None:
        self._answer("application/json", b'{"status": "Healthy"}')

    def _answer(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def hostile_agent_url() -> Iterator[str]:
    """The address of a running `HostileAgent`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), HostileAgent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def loom_on_services(
    postgres: PostgresServer,
    redis_server: RedisServer,
    hostile_agent_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Loom]:
    """A whole Loom on PostgreSQL, which was empty before, and Redis."""
    with running_loom(
        tmp_path_factory.mktemp("loom-on-services"),
        DATABASE_URL=postgres.url,
        REDIS_URL=redis_server.url,
        EMULATOR_RUNTIMES=f"hostile={hostile_agent_url}",
    ) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[None]:
    """A database of its own in place of the usual one, with all migrations."""
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/own.db" if is_sqlite else request.getfixturevalue("postgres").url
    test = {**connection.settings_dict["TEST"], "NAME": f"{tmp_path}/own_test.db" if is_sqlite else "own_test"}
    usual, wrapper = connections.settings["default"], connections["default"]
    with django_db_blocker.unblock():
        options = usual["OPTIONS"] if is_sqlite else {}
        connections.settings["default"] = {**usual, **dj_database_url.parse(url), "OPTIONS": options, "TEST": test}
        connections["default"] = connections.create_connection("default")
        name = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            yield
        finally:
            connection.creation.destroy_test_db(name, verbosity=0)
            connections["default"] = wrapper
            connections.settings["default"] = usual
