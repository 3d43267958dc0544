"""Copy what AgentCore's agents have out of their rows, and on the way back into them."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import Max, OuterRef, Subquery

AT_ONCE = 1000
COLUMNS = (
    "arn",
    "runtime_id",
    "region",
    "account_id",
    "log_group",
    "raw_metadata",
    "protocol",
    "idle_timeout_ms",
    "max_lifetime_ms",
    "platform_version",
    "authorizer_kind",
    "payload_template",
    "read_timeout_ms",
    "retry_unproven",
    "last_refreshed_at",
)


class RuntimesNotCopiedError(Exception):
    """Nothing was kept: start the migration again, and report it if it fails again."""


def copy_to_runtimes(apps: Any, schema_editor: Any) -> None:
    """Give each agent its runtime, and count them.

    What a process of the release before registers meanwhile is taken over later, as all that it writes.
    """
    agents = apps.get_model("agents", "Agent").objects.using(schema_editor.connection.alias).filter(kind="agentcore")
    runtimes = apps.get_model("agentcore", "Runtime").objects.using(schema_editor.connection.alias)
    newest = agents.aggregate(newest=Max("pk"))["newest"] or 0
    last = 0
    while chunk := list(agents.filter(pk__gt=last, pk__lte=newest).order_by("pk")[:AT_ONCE]):
        runtimes.bulk_create(
            runtimes.model(agent_id=agent.pk, **{name: getattr(agent, f"former_{name}") for name in COLUMNS})
            for agent in chunk
        )
        last = chunk[-1].pk
    compare(agents.filter(pk__lte=newest).count(), runtimes.count())


def copy_to_agents(apps: Any, schema_editor: Any) -> None:
    """Write the runtimes back, and delete them."""
    agents = apps.get_model("agents", "Agent").objects.using(schema_editor.connection.alias).filter(kind="agentcore")
    runtimes = apps.get_model("agentcore", "Runtime").objects.using(schema_editor.connection.alias)
    own = runtimes.filter(agent=OuterRef("pk"))
    written = 0
    last = 0
    while keys := list(runtimes.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        written += agents.filter(pk__in=keys).update(
            **{f"former_{name}": Subquery(own.values(name)) for name in COLUMNS}
        )
        last = keys[-1]
    compare(written, runtimes.count())
    runtimes.all().delete()


def compare(agents: int, runtimes: int) -> None:
    if agents != runtimes:
        raise RuntimesNotCopiedError(f"{agents} agents on AgentCore, but {runtimes} runtimes. Nothing was changed.")


class Migration(migrations.Migration):

    dependencies = [
        ("agentcore", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(copy_to_runtimes, copy_to_agents),
    ]
