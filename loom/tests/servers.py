"""PostgreSQL and Redis as real servers: installed programs on free loopback ports, their data in a folder.

Where a program is missing, what needs it is skipped; continuous integration brings the programs and allows no skip.
Nothing here needs Django's settings, which say where the database is.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

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
        if data.exists():
            return
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
