"""What was stored and granted before figures had their present name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.urls import reverse

from apps.metrics.models import FigurePeriod
from apps.metrics.tests.runs import NOON

BEFORE = [("metrics", "0005_startseries_not_ended_count")]


def migrate(name: str = "") -> None:
    call_command("migrate", "metrics", *filter(None, [name]), interactive=False, verbosity=0)


@pytest.fixture
def undo(transactional_db: None) -> Iterator[Callable[[], Any]]:
    """Bring the database to the schema before; returns the models of that time. Undone at the end."""

    def go_back() -> Any:
        migrate(BEFORE[0][1])
        return MigrationExecutor(connection).loader.project_state(BEFORE).apps

    yield go_back
    migrate()


def test_the_release_before_reads_and_writes_the_same_table(undo: Callable[[], Any]) -> None:
    row = {"origin": "emulator", "length": 1, "invocation_count": 3, "groups": [], "totals": []}
    kept = FigurePeriod.objects.create(**row, start_at=NOON)
    old = undo().get_model("metrics", "FigureSpan").objects
    assert old.values_list("pk", "start_at", "invocation_count").get() == (kept.pk, NOON, 3)
    old.update(invocation_count=4)
    migrate()

    assert FigurePeriod.objects.get(pk=kept.pk).invocation_count == 4
    # A process of the release before that still runs.
    assert old.values_list("invocation_count", flat=True).get() == 4


def test_whoever_was_given_the_right_to_look_keeps_it(undo: Callable[[], Any], client: Client) -> None:
    viewer = get_user_model().objects.create_user("carol@example.com", is_staff=True)
    undo()
    viewer.user_permissions.add(Permission.objects.get(codename="view_figurespan"))
    migrate()
    client.force_login(viewer)

    assert not Permission.objects.filter(codename__endswith="figurespan").exists()
    assert [right.name for right in viewer.user_permissions.all()] == ["Can view figure period"]
    assert client.get(reverse("admin:metrics_figureperiod_changelist")).status_code == 200
