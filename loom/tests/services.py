"""PostgreSQL and Redis as real servers, and a whole Loom on top of them.

Installed programs are started on free loopback ports with their data in a temporary folder. Where a program is missing,
the tests that need it are skipped; continuous integration brings the programs and allows no skip.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import dj_database_url
import psycopg
import pytest
from django.db import connection, connections
from psycopg import sql

from loom.tests.fixtures import Loom, running_loom
from loom.tests.running import free_port, wait_until

SERVER_ACCOUNT = "postgres"


class Server:
    """A server program that can be stopped and started again on the same port with the same data."""

    argv: list[str]
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, *, account: str | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.account = account
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.argv, cwd=self.folder, stdout=log, stderr=log, user=self.account, start_new_session=True
            )
        wait_until(self._has_started, f"{self.argv[0]} answers")

    def stop(self) -> None:
        """Stop it, cutting its clients off, and wait for its end."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            self._process.wait(30)
            self._process = None

    def is_up(self) -> bool:
        """Tell whether it answers a client."""
        raise NotImplementedError

    def _has_started(self) -> bool:
        assert self._process is not None
        log = self.folder / "server.log"
        assert self._process.poll() is None, f"{self.argv[0]} ended:\n{log.read_text(errors='replace')}"
        return self.is_up()


class PostgresServer(Server):
    """PostgreSQL. It refuses to run as root, which therefore lends it the account that the package made for it."""

    stop_signal = signal.SIGINT  # "fast": clients are cut off, nothing is lost

    def __init__(self, folder: Path, programs: Path, *, account: str | None) -> None:
        super().__init__(folder, account=account)
        data = folder / "data"
        self.argv = [
            str(programs / "postgres"), "-D", str(data), "-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-F"
        ]  # fmt: skip
        subprocess.run(
            [
                programs / "initdb", "-D", data, "-U", "loom", "--auth=trust", "--encoding=UTF8", "--no-locale",
                "--no-sync",
            ],
            check=True, capture_output=True, cwd=folder, user=account,
        )  # fmt: skip

    @property
    def url(self) -> str:
        """The DATABASE_URL of its one, empty database."""
        return f"postgres://loom@127.0.0.1:{self.port}/postgres"

    def create_database(self, name: str) -> str:
        """Make one more, empty database; return its DATABASE_URL."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return f"postgres://loom@127.0.0.1:{self.port}/{name}"

    def is_up(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def connection_count(self) -> int:
        """How many clients are connected, this one not counted."""
        with psycopg.connect(self.url) as connection:
            query = "select count(*) from pg_stat_activity where backend_type = 'client backend'"
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0]) - 1


class RedisServer(Server):
    """Redis that keeps nothing on disk."""

    def __init__(self, folder: Path, program: str) -> None:
        super().__init__(folder)
        self.argv = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    @property
    def url(self) -> str:
        """The REDIS_URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(b"PING\r\n")
                return client.recv(5) == b"+PONG"
        except OSError:
            return False


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL's programs, which Debian keeps out of PATH; skip the test where there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)]
    if not folders:
        pytest.skip("PostgreSQL's initdb is not installed")
    return folders[0]


def server_account() -> str | None:
    """Return the account that PostgreSQL has to run as, None for our own; skip where root has none to lend."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SERVER_ACCOUNT).pw_name
    except KeyError:
        pytest.skip(f"PostgreSQL does not run as root, and there is no account {SERVER_ACCOUNT!r}")


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
