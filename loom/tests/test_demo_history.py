from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import StartSeries
from apps.metrics.tests.runs import make_run
from apps.sessions.models import Invocation, Session
from loom.demo_history import PROMPTS
from loom.tests.fixtures import Emulator

pytestmark = pytest.mark.django_db


def seed() -> str:
    out = StringIO()
    call_command("seed_demo", stdout=out)
    return out.getvalue()


def test_an_empty_database_gets_a_history_that_real_runs_will_make(emulator: Emulator, settings: Any) -> None:
    settings.AUTH_DISABLED = settings.DEMO_HISTORY = True

    said = seed()
    queued = StartSeries.objects.select_related("agent")
    names = {series.agent.name for series in queued}
    assert names == set(PROMPTS) & set(Agent.objects.values_list("name", flat=True))
    assert len(names) >= 6
    assert {(series.state, series.count, series.owner.email) for series in queued} == {("queued", 6, "dev@local")}
    assert not Invocation.objects.exists()
    assert f"{len(names)} demo agents registered; {len(names)} of them answer their first prompts" in said

    assert seed() == "the demo agents are registered already\n"
    assert StartSeries.objects.count() == len(names)


def test_a_database_with_a_past_gets_none(
    emulator: Emulator, settings: Any, make_session: Callable[..., Session]
) -> None:
    settings.AUTH_DISABLED = settings.DEMO_HISTORY = True
    make_run(make_session())
    seed()

    assert not StartSeries.objects.exists()


def test_a_history_can_be_declined_and_needs_somebody_to_belong_to(emulator: Emulator, settings: Any) -> None:
    settings.AUTH_DISABLED, settings.DEMO_HISTORY = True, False
    seed()
    settings.AUTH_DISABLED, settings.DEMO_HISTORY = False, True
    assert seed() == "the demo agents are registered already\n"
    assert not StartSeries.objects.exists()
    User.objects.create(email="root@example.com", is_superuser=True)
    seed()

    assert {series.owner.email for series in StartSeries.objects.all()} == {"root@example.com"}
