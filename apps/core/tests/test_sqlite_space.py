"""What was deleted gives its space back to the disk: a new file by itself, an older one after a command."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from apps.core.running.sqlite_space import KEPT_PAGES, PAGES_AT_ONCE, give_back_space, space

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's file")

ROWS, ROW_BYTES = 900, 20_000


@pytest.fixture
def emptied(transactional_db: None) -> Path:
    """The file of a database that held 18 MB more than now."""
    rows = SessionStore.get_model_class()
    rows.objects.bulk_create(
        rows(session_key=f"key-{number}", session_data="x" * ROW_BYTES, expire_date=timezone.now())
        for number in range(ROWS)
    )
    rows.objects.all().delete()
    return Path(str(connection.settings_dict["NAME"]))


def test_free_space_goes_back_a_little_at_a_time_and_some_is_kept(emptied: Path) -> None:
    before = space()
    assert before is not None
    assert before.can_shrink
    assert before.free_bytes >= ROWS * ROW_BYTES

    given = []
    while freed := give_back_space():
        given.append(freed)

    after = space()
    assert after is not None
    assert after.free_bytes == KEPT_PAGES * after.page_bytes
    assert sum(given) <= before.total_bytes - after.total_bytes  # the maps of what is gone go with it
    assert max(given) <= PAGES_AT_ONCE * after.page_bytes
    assert len(given) > 1


def test_the_command_gives_all_of_it_back(emptied: Path) -> None:
    out = StringIO()
    call_command("shrink_database", stdout=out)

    after = space()
    assert after is not None
    assert after.free_bytes == 0
    assert emptied.stat().st_size == after.total_bytes < ROWS * ROW_BYTES
    assert "before" in out.getvalue()


def test_a_file_of_an_older_loom_shrinks_after_the_command(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with sqlite3.connect(file) as old:
        old.execute("PRAGMA journal_mode=WAL")
        old.execute("CREATE TABLE rows (text)")
        old.executemany("INSERT INTO rows VALUES (?)", [("x" * ROW_BYTES,)] * 100)
        old.execute("DELETE FROM rows")
    old.close()
    command = [sys.executable, "manage.py", "shrink_database"]
    environment = {
        "DATABASE_URL": f"sqlite:///{file}", "LOOM_ENVIRONMENT_FILE": "", "SECRET_KEY": "x" * 50, "PATH": "/usr/bin",
    }  # fmt: skip

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    assert file.stat().st_size < ROW_BYTES
    with sqlite3.connect(file) as now:
        assert now.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    now.close()


def test_a_new_connection_waits_for_no_writer(transactional_db: None) -> None:
    """Readiness, pages and the recorder connect while others write; whatever a connection begins with takes no lock."""
    file = Path(str(connection.settings_dict["NAME"]))
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    another = connection.copy()
    another.settings_dict["OPTIONS"] = {**connection.settings_dict["OPTIONS"], "timeout": 0}
    try:
        another.ensure_connection()
        assert another.is_usable()
    finally:
        another.close()
        writer.close()
