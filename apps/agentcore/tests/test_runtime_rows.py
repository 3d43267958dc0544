"""Agents and runtimes apart: the way there and back, and what a process of the release before does meanwhile."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

from apps.agentcore.exceptions import AgentExistsError
from apps.agentcore.models import Runtime
from apps.agentcore.runtime_rows import NEW_COLUMNS, SHARED_COLUMNS, adopt_unsplit_agents
from apps.agentcore.services import register_agent, save_invocation_settings
from apps.agentcore.tests.control_plane import ARN, ControlPlane
from apps.agents.models import Agent

BEFORE = [("agents", "0001_initial"), ("agentcore", None)]
EMPTY = [("agents", "0003_former_columns"), ("agentcore", "0001_initial")]
AFTER = [("agents", "0003_former_columns"), ("agentcore", "0004_aws_accounts")]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def migrate(targets: list[tuple[str, Any]]) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)


def models_at(targets: list[tuple[str, Any]]) -> Any:
    return MigrationExecutor(connection).loader.project_state([key for key in targets if key[1]]).apps


def former_agent_model() -> Any:
    """The model of the release before; it works on the tables of both."""
    return models_at(BEFORE).get_model("agents", "Agent")


def described(number: int) -> dict[str, Any]:
    """The columns of an agent of the release before, different for each number."""
    runtime_id = f"agent_{number}-AbCdEf{number:04d}"
    return {
        "arn": f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{runtime_id}",
        "origin": "emulator",
        "runtime_id": runtime_id,
        "name": f"agent_{number}",
        "status": "READY",
        "region": ("us-east-1", "eu-west-1")[number % 2],
        "account_id": "123456789012",
        "log_group": f"/aws/bedrock-agentcore/runtimes/{runtime_id}-DEFAULT",
        "raw_metadata": {"agentRuntimeId": runtime_id, "ü": [number, None, True]},
        "protocol": ("HTTP", "MCP")[number % 2],
        "idle_timeout_ms": 1000 * number,
        "max_lifetime_ms": 2000 * number,
        "platform_version": "V2",
        "authorizer_kind": ("iam", "jwt")[number % 2],
        "payload_template": ({"prompt": "{{prompt}}"}, "{{prompt}}", ["{{prompt}}", 1.5])[number % 3],
        "read_timeout_ms": number,
        "retry_unproven": bool(number % 2),
        "registered_at": NOW,
        "last_refreshed_at": NOW + timedelta(seconds=number),
    }


def rows_of(model: type[Model]) -> list[dict[str, Any]]:
    return list(model._default_manager.order_by("pk").values())


@pytest.mark.slow("migrates there and back")
def test_each_agent_gets_its_runtime_and_gives_it_back(database: None) -> None:
    migrate(BEFORE)
    old = former_agent_model()
    old.objects.bulk_create(old(**described(number)) for number in range(1, 2301))
    old.objects.filter(name="agent_7").delete()  # keys need not follow one another
    before = rows_of(old)

    migrate(AFTER)

    runtimes = {row.pop("agent_id"): row for row in rows_of(Runtime)}
    shared = {row["id"]: {name: row[name] for name in SHARED_COLUMNS} for row in before}
    new = {field.attname: None for field in Runtime._meta.fields if field.name in NEW_COLUMNS}
    assert runtimes == {key: {**row, **new} for key, row in shared.items()}
    assert set(Agent.objects.values_list("kind", flat=True)) == {"agentcore"}
    assert rows_of(old) == before

    newer = {"region": "eu-north-1", "raw_metadata": {"new": [1]}, "payload_template": ["{{prompt}}"]}
    Runtime.objects.filter(agent__name="agent_1500").update(**newer)
    migrate(BEFORE)
    assert rows_of(old) == [row | (newer if row["name"] == "agent_1500" else {}) for row in before]

    migrate(AFTER)
    assert Runtime.objects.count() == len(before)
    assert Runtime.objects.filter(agent__name="agent_1500").values(*newer).get() == newer


def test_nothing_is_kept_where_the_counts_differ(database: None) -> None:
    migrate(EMPTY)
    former_agent_model().objects.create(**described(1))
    models = models_at(EMPTY)
    other = models.get_model("agents", "Agent").objects.create(
        kind="local", origin="loom", name="other", registered_at=NOW, former_raw_metadata=None
    )
    columns = {name: value for name, value in described(2).items() if name in SHARED_COLUMNS}
    models.get_model("agentcore", "Runtime").objects.create(agent=other, **columns)

    with pytest.raises(Exception, match="1 agents on AgentCore, but 2 runtimes"):
        migrate(AFTER)

    assert list(Runtime.objects.values_list("agent__name", flat=True)) == ["other"]


def test_what_a_process_of_the_release_before_writes_is_taken_over(database: None) -> None:
    old = former_agent_model()
    registered = old.objects.create(**described(1))
    agent = Agent.objects.get()
    assert not hasattr(agent, "runtime")

    def taken_over() -> dict[str, Any]:
        adopt_unsplit_agents()
        return dict(Runtime.objects.values(*SHARED_COLUMNS).get())

    def written() -> dict[str, Any]:
        row: dict[str, Any] = old.objects.values(*SHARED_COLUMNS).get()
        return row

    assert taken_over() == written() == {name: described(1)[name] for name in SHARED_COLUMNS}

    registered.region, registered.last_refreshed_at = "eu-north-1", NOW + timedelta(days=1)
    registered.save(update_fields=["region", "last_refreshed_at"])
    assert taken_over() == written()
    assert written()["region"] == "eu-north-1"

    for column, value in (("payload_template", {"q": "{{prompt}}"}), ("read_timeout_ms", 5), ("retry_unproven", False)):
        old.objects.update(**{column: value})
        assert taken_over() == written()
        assert written()[column] == value

    agent.refresh_from_db()
    save_invocation_settings(agent=agent, payload_template=["{{prompt}}"], read_timeout_ms=7, retry_unproven=True)
    assert taken_over() == written()
    assert written()["payload_template"] == ["{{prompt}}"]


def test_without_such_a_process_it_is_one_query(django_assert_num_queries: Any, make_agent: Any) -> None:
    make_agent(payload_template={"b": 1, "a": ["{{prompt}}", 1.50, "ü"]})
    make_agent(kind="local", origin="loom")

    with django_assert_num_queries(1):
        adopt_unsplit_agents()


def test_an_arn_that_such_a_process_just_registered_is_known(control_plane: ControlPlane, db: None) -> None:
    former_agent_model().objects.create(**{**described(1), "arn": ARN})

    with pytest.raises(AgentExistsError):
        register_agent(arn=ARN, user=None)

    assert list(Runtime.objects.values_list("arn", flat=True)) == [ARN]


def test_no_template_reads_from_an_agent_what_its_runtime_has() -> None:
    """A name that is not there renders as nothing."""
    read = re.compile(rf"\b(?:agent|choice)\.(?:get_)?(?:{'|'.join([*SHARED_COLUMNS, 'obstacles', 'network_mode'])})\b")
    templates = list((settings.BASE_DIR / "templates").rglob("*.html"))

    assert {path.name: found for path in templates if (found := read.findall(path.read_text()))} == {}
    assert len(templates) > 50
