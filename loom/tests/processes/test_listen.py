"""Several web processes on PostgreSQL alone: it tells them of notices, and where it does not, they look."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from loom.tests.fixtures import Loom, running_loom
from loom.tests.processes.test_redis import follow_from_elsewhere, stop_from_elsewhere
from loom.tests.servers import PostgresServer
from loom.tests.visiting import another_web_process, rows

pytestmark = [pytest.mark.services, pytest.mark.slow("each starts two web processes")]


@pytest.fixture(scope="module")
def database_url(postgres: PostgresServer) -> str:
    return postgres.create_database("listening")


@pytest.fixture(scope="module")
def loom_on_postgres(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loom]:
    """A whole Loom on PostgreSQL without Redis."""
    with running_loom(tmp_path_factory.mktemp("loom-on-postgres"), DATABASE_URL=database_url) as running:
        yield running


def execute(database_url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def listening_pids(database_url: str) -> set[object]:
    """The connections that have said LISTEN: what they say besides begins with the table of notices."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND (query LIKE 'LISTEN%' OR query LIKE '%FROM \"core_notice\"%')"
    )
    return {pid for (pid,) in execute(database_url, query)}


def test_a_notice_is_told_by_the_database(loom_on_postgres: Loom) -> None:
    with another_web_process(loom_on_postgres) as other:
        public_id = stop_from_elsewhere(loom_on_postgres, other)
        follow_from_elsewhere(other, loom_on_postgres, public_id)

    kinds = {row["kind"].partition(":")[0] for row in rows(loom_on_postgres, "core.notice")}
    assert kinds >= {"started", "stop", "finished", "measurement"}


def test_who_was_cut_off_listens_again(loom_on_postgres: Loom, database_url: str) -> None:
    with another_web_process(loom_on_postgres) as other:
        before = listening_pids(database_url)
        cut = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        execute(database_url, cut)
        public_id = stop_from_elsewhere(loom_on_postgres, other)
        follow_from_elsewhere(other, loom_on_postgres, public_id)

        assert len(before) >= 2
        assert len(listening_pids(database_url)) >= 2
        assert not listening_pids(database_url) & before


def test_where_the_database_tells_nothing_it_is_asked(loom_on_postgres: Loom, database_url: str) -> None:
    """As behind a pooler that lends a connection for one transaction at a time."""
    execute(database_url, "ALTER TABLE core_notice DISABLE TRIGGER loom_notice_bell")
    try:
        with another_web_process(loom_on_postgres) as other:
            public_id = stop_from_elsewhere(loom_on_postgres, other)
            follow_from_elsewhere(other, loom_on_postgres, public_id)
    finally:
        execute(database_url, "ALTER TABLE core_notice ENABLE TRIGGER loom_notice_bell")
