from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.models import Runtime
from apps.metrics.environments.attribution import ColdStart, Factor, attribute, part_of_day
from apps.metrics.models import Measurement
from apps.metrics.tests.runs import NOON, make_measured, make_run
from apps.sessions.models import Invocation, Session

PAGE, API = "/operate/cold-starts/", "/api/cold-starts"
MakeSession = Callable[..., Session]


def start(value_ms: float, hour: int = 9, agent: str = "one", **facts: str) -> ColdStart:
    given = {"artifact": "code", "platform": "V1", "region": "us-east-1", "version": "1", "start_kind": "created"}
    at = datetime(2026, 11, 20, hour, 30, tzinfo=UTC)
    return ColdStart(value_ms=value_ms, sent_at=at, agent_id=hash(agent), agent_name=agent, **{**given, **facts})


def factor(found: list[Factor], key: str) -> Factor:
    return next(one for one in found if one.key == key)


def claims(found: list[Factor], key: str) -> dict[str, str]:
    return {level.name: level.claim for level in factor(found, key).levels}


def test_a_slow_artifact_is_claimed_with_its_interval_and_effect() -> None:
    starts = [start(1_000 + n) for n in range(12)] + [start(3_000 + n, artifact="container") for n in range(12)]

    found = attribute(starts, is_one_agent=False)

    assert claims(found, "artifact") == {"code": "faster", "container": "slower"}
    container = next(level for level in factor(found, "artifact").levels if level.name == "container")
    assert container.apart is not None and container.apart.low > 1_900 and container.apart.high < 2_100
    assert container.effect is not None and container.effect.size == "large"
    assert claims(found, "region") == {"us-east-1": "alone"}


def test_nothing_is_claimed_of_five() -> None:
    starts = [start(1_000 + n) for n in range(40)] + [start(9_000 + n, version="2") for n in range(5)]

    found = attribute(starts, is_one_agent=True)

    assert claims(found, "version") == {"1": "few", "2": "few"}
    assert factor(found, "version").levels[1].effect is None


def test_what_is_not_known_is_counted_and_no_value() -> None:
    found = attribute([start(1_000 + n, platform="") for n in range(8)], is_one_agent=False)

    assert (factor(found, "platform").unknown_count, factor(found, "platform").levels) == (8, [])


def test_a_slow_agent_that_runs_at_night_makes_no_slow_night() -> None:
    day = [start(1_000 + n, 9, "quick") for n in range(20)] + [start(1_000 + n, 15, "quick") for n in range(20)]
    night = [start(9_000 + n, 2, "slow") for n in range(20)] + [start(9_000 + n, 15, "slow") for n in range(20)]

    found = attribute([*day, *night], is_one_agent=False)

    assert claims(found, "agent") == {"quick": "faster", "slow": "slower"}
    assert set(claims(found, "time").values()) == {"not told"}


def test_equal_groups_are_claimed_to_differ_no_oftener_than_their_intervals_say() -> None:
    draw = random.Random(17)
    wrong = 0
    for _ in range(400):
        starts = [
            start(draw.lognormvariate(7, 0.3), artifact=kind) for kind in ("code", "container") for _ in range(12)
        ]
        wrong += claims(attribute(starts, is_one_agent=True), "artifact")["code"] != "not told"
    assert wrong / 400 <= 0.07


def test_parts_of_the_day_are_those_of_utc() -> None:
    assert part_of_day(datetime.fromisoformat("2026-11-20T01:00:00+02:00")) == "18–24"


def cold_run(session: Session, startup_ms: float, version: str = "3", **overrides: Any) -> None:
    """A cold run of some moments ago whose start is measured."""
    run = make_run(session, (timezone.now() - NOON).total_seconds() - 600)
    cold = {"start_kind": "created", "high_ms": 60_000, **overrides}
    Measurement.objects.filter(pk=make_measured(run, startup_ms).pk).update(**cold)
    Invocation.objects.filter(pk=run.pk).update(version=version)


@pytest.fixture
def measured(make_session: MakeSession) -> Session:
    """Ten cold starts of an agent's version 3 and ten slower ones of version 4."""
    session = make_session()
    Runtime.objects.update(raw_metadata={"agentRuntimeArtifact": {"containerConfiguration": {}}}, platform_version="V1")
    for number in range(10):
        cold_run(session, 500 + number)
        cold_run(session, 1_500 + number, "4")
    return session


@pytest.mark.django_db
def test_the_page_and_the_api_tell_of_an_agents_versions(client: Client, bob: User, measured: Session) -> None:
    client.force_login(bob)  # figures of agents are everybody's

    found = json.loads(client.get(f"{API}?agent={measured.agent_id}").content)

    assert (found["n"], found["left_out"]) == (20, 0)
    levels = next(one["levels"] for one in found["factors"] if one["factor"] == "version")
    assert {(level["value"], level["n"], level["claim"]) for level in levels} == {
        ("3", 10, "faster"),
        ("4", 10, "slower"),
    }
    artifact = next(one["levels"] for one in found["factors"] if one["factor"] == "artifact")
    assert [(level["value"], level["claim"]) for level in artifact] == [("container", "alone")]
    page = client.get(f"{PAGE}?agent={measured.agent_id}").content.decode()
    assert "20 cold starts" in page and "longer in 100 of 100: large" in page
    sent = b"".join(client.get(f"{PAGE}csv/?agent={measured.agent_id}"))
    rows = {row["value"]: row for row in csv.DictReader(io.StringIO(sent.decode())) if row["factor"] == "version"}
    assert (rows["4"]["claim"], float(rows["4"]["difference_low_ms"]) > 900) == ("slower", True)


@pytest.mark.django_db
def test_warm_runs_other_lines_and_the_past_are_left_out(
    client: Client, alice: User, make_session: MakeSession
) -> None:
    session = make_session()
    cold_run(session, 500)
    cold_run(session, 700, marker_rank=2)
    cold_run(session, 700, state="not_found")
    cold_run(session, 20, start_kind="reused")
    old = make_run(session, -100 * 86_400)
    Measurement.objects.filter(pk=make_measured(old, 500).pk).update(start_kind="created")
    client.force_login(alice)

    found = json.loads(client.get(API).content)

    assert (found["n"], found["left_out"], found["p50"]) == (1, 2, None)


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["?days=x&metric=y&measure_start=z&agent=-3", "?agent=9999999999999999999", ""])
def test_an_absurd_address_shows_the_page_and_what_to_do(client: Client, alice: User, query: str) -> None:
    client.force_login(alice)

    answer = client.get(PAGE + query)

    assert "No cold start was measured" in answer.content.decode()
    assert client.get(f"{PAGE}?agent=4711").status_code == 404
