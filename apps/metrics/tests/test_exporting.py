"""GET /metrics: who may read it, and that it says what happened."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import create_token, revoke_token
from apps.accounts.tokens import SCOPES
from apps.core.models import Process
from apps.core.running import processes, telemetry
from apps.metrics.exporting import exposition, readings
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = rf'({NAME})="((?:[^"\\\n]|\\[\\n"])*)"'
LINE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
HEAD = re.compile(rf"# (HELP|TYPE) ({NAME}) (.*)")


@pytest.fixture(autouse=True)
def _fresh_readings(settings: Any) -> None:
    readings.readings._until_s = float("-inf")


def token_of(user: User, scope: str = "metrics") -> dict[str, str]:
    return {"Authorization": f"Bearer {create_token(user=user, scope=scope, life=timedelta(days=1))[1]}"}


def told() -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """By name of the sample, then by its labels: read as the text form's grammar says, and nothing said twice."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    types: dict[str, str] = {}
    text = exposition.exposition()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("#"):
            head = HEAD.fullmatch(line)
            assert head is not None, line
            if head[1] == "TYPE":
                assert head[2] not in types, line
                types[head[2]] = head[3]
            continue
        sample = LINE.fullmatch(line)
        assert sample is not None, line
        family = re.sub(r"_(bucket|count|sum)$", "", sample[1])
        assert sample[1] in types or types[family] == "histogram", line
        labels = tuple(sorted(re.findall(LABEL, sample[2] or "")))
        assert labels not in found.setdefault(sample[1], {}), line
        found[sample[1]][labels] = float(line.rpartition(" ")[2])
    return found


def process(name: str = "web 1", seconds_ago: float = 0, host: str = "one", **counted: Any) -> Process:
    now = timezone.now()
    return Process.objects.create(
        kind="web", host=host, pid=7, name=name, started_at=now, beat_at=now - timedelta(seconds=seconds_ago),
        telemetry=counted,
    )  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_of_any_scope_may_read_it(client: Client, alice: User, scope: str) -> None:
    response = client.get("/metrics", headers=token_of(alice, scope))

    assert (response.status_code, response["Cache-Control"][:7]) == (200, "max-age")
    assert "loom_runs_unfinished" in response.content.decode()


def test_staff_may_in_the_browser_and_others_may_not(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/metrics").status_code == 401
    client.force_login(User.objects.create_user("carol@example.com", is_staff=True))
    assert client.get("/metrics").status_code == 200


def test_a_stranger_is_told_how_to_get_a_token(client: Client) -> None:
    response = client.get("/metrics")

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert "--scope metrics" in response.content.decode()


def test_a_token_that_is_gone_is_refused_even_in_development(client: Client, alice: User, settings: Any) -> None:
    settings.DEBUG = True
    token, secret = create_token(user=alice, scope="metrics", life=timedelta(days=1))
    revoke_token(token=token)

    assert client.get("/metrics", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert client.get("/metrics", headers={"Host": "localhost"}, SERVER_NAME="127.0.0.1").status_code == 200
    assert client.get("/metrics", headers={"Host": "loom.example.com"}).status_code in {400, 401}


def test_a_token_for_metrics_opens_nothing_else(client: Client, alice: User) -> None:
    headers = token_of(alice)

    assert client.get("/api/agents", headers=headers).status_code == 403
    assert client.post("/metrics", headers=headers).status_code == 405


def test_each_process_is_told_of_by_what_it_counted(alice: User) -> None:
    runs = [[["agentcore", "completed", "manual"], 3]]
    process("web 1", loom_runs=runs, loom_run_duration_seconds=[[["agentcore"], [1, *[0] * 13, 2, 4], 900.5]])
    process("web 2", loom_runs=[[["agentcore", "failed", "api"], 1]], of_a_later_release=[[[], 5]])
    process("gone", seconds_ago=60, loom_runs=runs)

    found = told()

    rows = [(dict(labels), value) for labels, value in found["loom_runs_total"].items()]
    counted = {(labels["process"], labels["status"]): value for labels, value in rows}
    assert counted == {("web 1", "completed"): 3, ("web 2", "failed"): 1}
    buckets = {dict(labels)["le"]: value for labels, value in found["loom_run_duration_seconds_bucket"].items()}
    assert (buckets["0.005"], buckets["300.0"], buckets["900.0"], buckets["+Inf"]) == (1, 1, 3, 7)
    assert set(found["loom_run_duration_seconds_sum"].values()) == {900.5}
    assert "of_a_later_release" not in found


def test_processes_of_several_machines_are_told_apart() -> None:
    process("web 1", host="one", loom_streams=[[[], 1]])
    process("web 1", host="two", loom_streams=[[[], 2]])

    names = {dict(labels)["process"]: value for labels, value in told()["loom_streams"].items()}
    assert names == {"web 1 on one": 1, "web 1 on two": 2}


def test_two_of_one_name_on_one_machine_are_not_one_series() -> None:
    """As while a supervisor is replaced by another: Prometheus would refuse the answer."""
    process("web 1", loom_streams=[[[], 1]])
    process("web 1", loom_streams=[[[], 2]])

    assert sorted(told()["loom_streams"].values()) == [1, 2]


def test_the_rows_say_what_waits(session: Session) -> None:
    now = timezone.now()
    Invocation.objects.create(
        session=session, number=1, prompt="x", status="queued", requested_at=now, queued_at=now - timedelta(seconds=90)
    )

    found = told()

    waiting = {dict(labels)["status"]: value for labels, value in found["loom_runs_unfinished"].items()}
    assert waiting == {"queued": 1, "pending": 0, "streaming": 0, "waiting": 0}
    assert 90 <= found["loom_queue_oldest_seconds"][()] < 120
    assert found["loom_search_backlog"][()] == 0
    assert found["loom_log_readings_due"][()] == 0


def test_many_who_ask_at_once_ask_the_database_once(django_assert_num_queries: Any) -> None:
    found = readings.Readings(readings.READINGS)
    found.tell()
    with django_assert_num_queries(0):
        for _ in range(100):
            found.tell()


def test_a_reading_that_fails_costs_no_other_one() -> None:
    def fail(now: Any) -> Any:
        raise DatabaseError

    good = readings.Reading("good", "", (), lambda now: [((), 1.0)])
    answers = readings.Readings([readings.Reading("bad", "", (), fail), good]).tell()

    assert [answer.values for answer in answers] == [None, [((), 1.0)]]


def test_every_process_tells_what_it_counts() -> None:
    row = processes.register(Process.Kind.WEB)
    processes.beat(row.pk)

    found = told()

    assert {dict(labels)["check"] for labels in found["loom_check"]} >= {"database", "worker", "migrations"}
    assert set(telemetry.families) >= {"loom_runs", "loom_streams", "loom_event_loop_lag_seconds"}
    assert found["process_cpu_seconds_total"]


def test_no_name_can_break_a_line() -> None:
    process('web "1"\\', host="one", loom_streams=[[[], 1]])

    ((labels, value),) = told()["loom_streams"].items()
    assert (dict(labels)["process"], value) == ('web \\"1\\"\\\\', 1)
