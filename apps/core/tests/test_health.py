from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import RequestFactory
from django.utils import timezone

from apps.core.models import LimitCount, Process
from apps.core.running import health


def make_readiness(**checks: tuple[health.Check, bool]) -> health.Readiness:
    readiness = health.Readiness()
    for name, (check, required) in checks.items():
        readiness.register(name, check, required=required)
    return readiness


def well() -> None:
    return None


def make_worker(beat_seconds_ago: float, *, has_ended: bool = False) -> None:
    now = timezone.now()
    Process.objects.create(
        kind=Process.Kind.WORKER,
        host="host",
        pid=1,
        started_at=now,
        beat_at=now - timedelta(seconds=beat_seconds_ago),
        ended_at=now if has_ended else None,
    )


def test_healthz_answers_without_a_database(rf: RequestFactory) -> None:
    response = health.healthz(rf.get("/healthz"))

    assert (response.status_code, response.content) == (200, b"ok")


@pytest.mark.parametrize(
    ("database", "worker", "status", "code", "strict_code"),
    [
        (None, None, "ready", 200, 200),
        (None, "no worker", "degraded", 200, 503),
        ("no database", None, "unavailable", 503, 503),
    ],
)
def test_only_a_required_check_makes_it_503_unless_asked_strictly(
    database: str | None, worker: str | None, status: str, code: int, strict_code: int
) -> None:
    report = make_readiness(database=(lambda: database, True), worker=(lambda: worker, False)).report()

    response = health.answer_with(report, is_strict=False)

    assert json.loads(response.content) == {
        "status": status,
        "checked_at": report.checked_at.isoformat(),
        "checks": {
            "database": {"ok": database is None, "required": True, "problem": database},
            "worker": {"ok": worker is None, "required": False, "problem": worker},
        },
        "processes": [],
    }
    assert response.status_code == code
    assert health.answer_with(report, is_strict=True).status_code == strict_code


def test_a_report_is_reused_while_it_is_fresh() -> None:
    calls: list[int] = []
    readiness = make_readiness(counted=(lambda: calls.append(1), True))

    assert readiness.report() is readiness.report()
    assert calls == [1]


def test_a_check_that_hangs_is_reported_and_not_started_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    monkeypatch.setattr(health, "BAD_FOR_S", 0.0)
    release = threading.Event()
    starts: list[int] = []

    def hang() -> None:
        starts.append(1)
        release.wait(10)

    readiness = make_readiness(aws=(hang, False), database=(well, True))

    first, second = readiness.report(), readiness.report()
    release.set()

    assert [report.problems for report in (first, second)] == [{"aws": "no answer within 0.05 s", "database": None}] * 2
    assert starts == [1]


def test_a_check_that_raises_is_a_problem_and_says_no_more_than_its_kind() -> None:
    def crash() -> None:
        raise ConnectionError("password=hunter2")

    assert make_readiness(aws=(crash, False)).report().problems == {"aws": "failed with ConnectionError"}


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'database'"):
        health.register_check("database", well, required=True)


@pytest.mark.django_db(transaction=True)
def test_a_database_out_of_reach_makes_it_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    readiness = make_readiness(database=(health.check_database, True))
    assert readiness.report().status == "ready"

    monkeypatch.setitem(connections.settings["default"], "NAME", "/nonexistent/loom.db")

    unreachable = make_readiness(database=(health.check_database, True)).report()
    assert (unreachable.status, unreachable.problems) == ("unavailable", {"database": "failed with OperationalError"})


@pytest.mark.django_db
def test_missing_migrations_are_counted() -> None:
    check = health.MigrationCheck()
    MigrationRecorder(connections["default"]).record_unapplied("core", "0001_initial")
    assert check() == "migrations not applied: 1; run `make migrate`"

    MigrationRecorder(connections["default"]).record_applied("core", "0001_initial")
    assert check() is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("beat_seconds_ago", "has_ended", "is_well"), [(9.0, False, True), (11.0, False, False), (1.0, True, False)]
)
def test_a_worker_counts_while_it_beats(beat_seconds_ago: float, has_ended: bool, is_well: bool) -> None:
    make_worker(beat_seconds_ago, has_ended=has_ended)

    assert (health.check_worker() is None) is is_well


@pytest.mark.django_db(transaction=True)
def test_readyz_reports_the_checks_of_core(rf: RequestFactory) -> None:
    body = json.loads(health.readyz(rf.get("/readyz")).content)

    assert {name: check["required"] for name, check in body["checks"].items()}.items() >= {
        ("database", True),
        ("migrations", True),
        ("worker", False),
    }


@pytest.mark.django_db(transaction=True)
def test_living_processes_are_told_with_how_often_they_were_started_again() -> None:
    make_worker(1.0)
    make_worker(9.0)
    make_worker(1.0, has_ended=True)
    now = timezone.now()
    Process.objects.create(
        kind=Process.Kind.WEB, host="host", pid=2, started_at=now, beat_at=now, name="web 2", restart_count=3
    )

    readiness = health.Readiness(health.list_processes)
    readiness.register("database", health.check_database, required=True)
    told = readiness.report().processes

    assert [(row["name"], row["kind"], row["restarts"]) for row in told] == [
        ("web 2", "web", 3),
        ("worker", "worker", 0),
    ]


def test_whether_something_can_be_stored_is_tried_again_and_again_and_leaves_a_row_at_most(db: None) -> None:
    assert [health.check_storage(), health.check_storage()] == [None, None]
    assert LimitCount.objects.count() == (0 if connection.vendor == "sqlite" else 1)
