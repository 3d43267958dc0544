"""A disk without room: whoever asks for a change is told so, nothing is half done, and reading goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.running import health
from apps.sessions.models import Session
from apps.sessions.tests.test_recorder_full_disk import full_disk

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="the database is a file of this process"),
    pytest.mark.django_db(transaction=True),
]


LOOK_AND_CLOSE = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("SELECT count(*) FROM sqlite_master").fetchone()
database.close()
"""


@pytest.fixture
def caller(alice: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    return client


@pytest.mark.parametrize("is_debug", [False, True])
def test_a_change_is_503_in_the_form_of_whoever_asks(
    caller: Client, make_session: Any, settings: Any, is_debug: bool
) -> None:
    settings.DEBUG = is_debug
    session: Session = make_session(title="Before")
    rename, prompt = reverse("sessions:rename", args=[session.public_id]), {"prompt": "Hi", "count": 1}
    with full_disk():
        page = caller.post(rename, {"title": "After"}, headers={"Accept": "text/html"})
        text = caller.post(rename, {"title": "After"})
        series = f"/api/agents/{session.agent_id}/start-series"
        api = caller.post(series, prompt, content_type="application/json")
        read = caller.get(reverse("sessions:detail", args=[session.public_id]))

    assert [answer.status_code for answer in (page, text, api, read)] == [503, 503, 503, 200]
    assert {answer["Retry-After"] for answer in (page, api, text)} == {"5"}
    assert b"<h1>" in page.content and b"Traceback" not in page.content
    assert (api.json()["error"], api.json()["details"]["retryable"]) == ("unavailable", True)
    assert text["Content-Type"].startswith("text/plain")
    session.refresh_from_db()
    assert session.title == "Before"
    assert caller.post(rename, {"title": "After"}).status_code == 302


def test_a_sign_in_is_503_too(alice: User) -> None:
    alice.set_password("correct horse battery")
    alice.save()
    client, form = Client(raise_request_exception=False), {"username": alice.email, "password": "correct horse battery"}
    with full_disk():
        refused = client.post(reverse("accounts:login"), form, headers={"Accept": "text/html"})

    assert refused.status_code == 503
    assert client.post(reverse("accounts:login"), form).status_code == 302


def test_a_process_whose_disk_takes_nothing_is_not_ready() -> None:
    readiness = health.Readiness()
    readiness.register("storage", health.check_storage, required=True)
    with full_disk():
        report = readiness.report()
        assert (report.status, report.problems) == ("unavailable", {"storage": "nothing can be stored: File too large"})

    assert health.check_storage() is None


def test_a_file_that_is_not_there_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nonexistent/loom.db")

    assert health.check_storage() == "nothing can be stored: No such file or directory"


def test_whoever_looks_lets_go_of_no_lock_of_the_database(alice: User) -> None:
    """Without its locks another process that closes the file counts as the last one, and takes away the log."""
    file = connection.settings_dict["NAME"]
    log = Path(f"{file}-wal")
    kept = log.stat().st_ino

    assert health.check_storage() is None

    subprocess.run([sys.executable, "-c", LOOK_AND_CLOSE, file], check=True)
    assert log.stat().st_ino == kept
    assert User.objects.filter(pk=alice.pk).exists()


def test_readyz_asks_it() -> None:
    assert '"storage": {"ok": true, "required": true' in Client().get("/readyz").content.decode()
