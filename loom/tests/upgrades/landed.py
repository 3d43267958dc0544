"""The version that is in use, its schema, and the way from there to the present one and back."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

COMMIT = "7739525ec7df5b4e32a29bf44a3f1b00ebdbce91"
# The last migration of each of its apps.
LEAVES = {
    "accounts": "0002_token",
    "agents": "0001_initial",
    "agent_sessions": "0004_failed_invocations",
    "core": "0001_initial",
    "metrics": "0004_totals_of_spans",
}


def create() -> None:
    """Bring an empty database to the schema of the landed version; apps that are not ours to what is installed."""
    executor = MigrationExecutor(connection)
    ours = _our_labels()
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in ours]
    executor.migrate([*LEAVES.items(), *others])


def forward() -> None:
    """Do what an upgrade does."""
    call_command("migrate", interactive=False, verbosity=0)


def back() -> None:
    """Undo every migration since, those of apps that are new as well."""
    executor = MigrationExecutor(connection)
    targets = [(label, LEAVES.get(label)) for label in sorted(_our_labels() & executor.loader.migrated_apps)]
    executor.migrate(targets)


def models() -> Any:
    """The registry of models as the landed version had them; they read whatever database has their columns."""
    return MigrationExecutor(connection).loader.project_state(list(LEAVES.items())).apps


def _our_labels() -> set[str]:
    return {app.label for app in apps.get_app_configs() if app.name.partition(".")[0] in {"apps", "loom"}}
