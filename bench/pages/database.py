"""The database that is measured: SQLite in a file, or a PostgreSQL of its own, and how much its processes worked."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")

Worked = Callable[[], float]
"""Milliseconds of processor time that the processes of the database have had so far."""


@contextmanager
def database(kind: str, kept: Path | None) -> Iterator[Worked]:
    """A database below `kept`, where it stays, or in a folder that goes; Django is set up for it."""
    folder = kept or Path(tempfile.mkdtemp(prefix="bench-pages-"))
    folder.mkdir(exist_ok=True)
    # Settings are read when Django's modules are imported, which all come after this.
    os.environ.update(
        LOOM_ENVIRONMENT_FILE="",
        LOOM_AWS="emulator",
        SECRET_KEY=secrets.token_urlsafe(48),
        # Development's static files: production's names need collectstatic first, which takes longer than the rest.
        DEBUG="1",
        AUTH_DISABLED="0",
        ALLOWED_HOSTS="testserver",
        LOG_LEVEL="error",
        DATABASE_URL=f"sqlite:///{folder}/pages.db",
        DJANGO_SETTINGS_MODULE="loom.settings",
    )
    try:
        if kind == POSTGRESQL:
            with _postgresql(folder) as worked:
                yield worked
        else:
            _set_up()
            yield lambda: 0.0  # SQLite works in our own process
    finally:
        if kept is None:
            shutil.rmtree(folder)


def _set_up() -> None:
    import django  # noqa: PLC0415 -- after the environment

    django.setup()
    from django.conf import settings  # noqa: PLC0415

    settings.DEBUG = False  # templates are cached, queries are not kept


@contextmanager
def _postgresql(folder: Path) -> Iterator[Worked]:
    from loom.tests.servers import PostgresServer, postgres_programs, server_account  # noqa: PLC0415 -- settings

    programs, account = postgres_programs(), server_account()
    if account is not None:
        shutil.chown(folder, account)
    server = PostgresServer(folder, programs, account=account)
    server.argv += ["-c", "maintenance_work_mem=1GB"]  # for the index of words, which is made at once
    os.environ["DATABASE_URL"] = server.url
    server.start()
    try:
        _set_up()
        yield lambda: _worked_ms(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
    finally:
        from django.db import connections  # noqa: PLC0415 -- after setup

        connections.close_all()
        server.stop()


def _worked_ms(postmaster: int) -> float:
    """Of the server's processes, those that have ended as well: helpers of one statement come and go."""
    spent = _spent_ns(postmaster) + sum(_spent_ns(int(child)) for child in _children(postmaster))
    ended = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()[13:15]
    return (spent + sum(map(int, ended)) * _TICK_NS) / 1e6


def _children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def _spent_ns(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0
