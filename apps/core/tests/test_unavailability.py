"""A database that is away, full or read-only: 503 and one line in the log, whoever meets it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.urls import path

from apps.core.requests.unavailability import OnceAnOutage, unavailability

FULL, READ_ONLY, AWAY = (
    "The disk of Loom's database is full: nothing can be stored.",
    "Loom's database can be read and not written.",
    "Loom's database cannot be reached right now.",
)


def caused(kind: type[Exception], cause: Exception) -> Exception:
    error = kind(str(cause))
    error.__cause__ = cause
    return error


def of_sqlite(act: Callable[[sqlite3.Connection], Any], file: Path, **options: Any) -> Exception:
    """What SQLite itself says of an act."""
    address, is_address = (f"file:{file}?mode=ro", True) if options.get("is_read_only") else (str(file), False)
    with (
        pytest.raises(sqlite3.OperationalError) as raised,
        closing(sqlite3.connect(address, timeout=0, uri=is_address)) as database,
    ):
        act(database)
    return caused(OperationalError, raised.value)


def fill(database: sqlite3.Connection) -> None:
    database.executescript("pragma max_page_count = 2; create table a (b); create table c (d); create table e (f)")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda file: of_sqlite(fill, file / "full.db"), FULL),
        (lambda file: of_sqlite(lambda one: one.execute("create table a (b)"), file / "x.db", is_read_only=True), AWAY),
        (lambda file: of_sqlite(lambda one: one.execute("nonsense"), file / "x.db"), None),
        (lambda file: of_sqlite(lambda one: one.execute("select * from nothing"), file / "x.db"), None),
    ],
    ids=["full", "not there", "syntax", "no table"],
)
def test_what_sqlite_says(make: Callable[[Path], Exception], said: str | None, tmp_path: Path) -> None:
    found = unavailability(make(tmp_path))

    assert (str(found) if found else None) == said


def test_what_sqlite_says_of_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "there.db").executescript("create table a (b)")
    error = of_sqlite(lambda one: one.execute("insert into a values (1)"), tmp_path / "there.db", is_read_only=True)

    assert str(unavailability(error)) == READ_ONLY


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationalError("the connection is closed"), AWAY),
        (InterfaceError("connection already closed"), AWAY),
        (caused(OperationalError, psycopg.OperationalError("connection failed")), AWAY),
        (caused(OperationalError, psycopg.errors.AdminShutdown()), AWAY),
        (caused(OperationalError, psycopg.errors.CannotConnectNow()), AWAY),
        (caused(OperationalError, psycopg.errors.TooManyConnections()), AWAY),
        (caused(OperationalError, psycopg.errors.DeadlockDetected()), AWAY),
        (caused(OperationalError, psycopg.errors.DiskFull()), FULL),
        (caused(InternalError, psycopg.errors.ReadOnlySqlTransaction()), READ_ONLY),
        (caused(InternalError, psycopg.errors.InFailedSqlTransaction()), None),
        (caused(OperationalError, psycopg.errors.InvalidPassword()), None),
        (RuntimeError("the disk is full"), None),
    ],
)
def test_what_postgresql_says(error: Exception, said: str | None) -> None:
    found = unavailability(error)

    assert (str(found) if found else None) == said


@login_not_required
async def lose_connection(request: HttpRequest) -> HttpResponse:
    raise OperationalError("the connection is closed")


urlpatterns = [path("away/", lose_connection)]


@pytest.mark.urls(__name__)
async def test_a_database_that_is_away_is_503_for_async_views_too() -> None:
    client = AsyncClient(raise_request_exception=False)
    answer = await client.get("/away/", headers={"Accept": "text/html"})

    assert (answer.status_code, AWAY in answer.content.decode().replace("&#x27;", "'")) == (503, True)


def test_an_outage_is_one_line_in_the_log() -> None:
    """Whoever tells it, with whatever words."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, logger = Kept(), logging.getLogger("loom.test.outage")
    handler.addFilter(OnceAnOutage())
    logger.addHandler(handler)
    for number in range(100):
        try:
            raise OperationalError(f"the connection is closed, parameters secret-{number}")
        except OperationalError:
            logger.exception("heartbeat failed number=%d", number)
    logger.error("something else")
    logger.removeHandler(handler)

    assert lines == [f"{AWAY} (heartbeat failed number=0: OperationalError)", "something else"]
