from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.aws.tests.emulator_process import Emulator
from apps.metrics.models import StartSeries
from apps.metrics.series.services import finish_series
from apps.metrics.tests.runs import make_run
from apps.overview.agents.suggesting import PROMPTS
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.models import Invocation, QueuedPrompt
from apps.sessions.models import Session as StoredSession
from apps.sessions.services import end_session
from loom.demo_history import TURNS
from loom.tests.fixtures import Loom
from loom.tests.running import wait_until
from loom.tests.visiting import manage
from loom_client import Client, Session

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
    assert {(series.state, series.count, series.owner.email) for series in queued} == {("running", 6, "dev@local")}
    runs = Invocation.objects.values_list("status", "source").order_by("source")
    assert Counter(runs) == {("queued", "measure"): len(names), ("queued", "demo"): 3}
    assert QueuedPrompt.objects.count() == len(TURNS) - 3
    assert f"{len(names)} demo agents registered; {len(names)} of them answer their first prompts" in said

    assert seed() == "the demo agents are registered already\n"
    assert StartSeries.objects.count() == len(names)


def test_the_history_is_made_without_a_line_so_that_the_address_stays_the_last_one(
    emulator: Emulator, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AUTH_DISABLED = settings.DEMO_HISTORY = True
    with caplog.at_level(logging.INFO, logger="apps"):
        seed()  # a command: what it does, its own last line says
        for run in Invocation.objects.select_related("session__agent__runtime"):
            rest = Pending(run.pk, [], {})
            assert finish_invocation(None, rest, status="completed", completed_at=timezone.now())
            if run.source == Invocation.Source.MEASURE:
                end_session(session=run.session)
        for series in StartSeries.objects.all():
            assert finish_series(series=series, state=StartSeries.State.DONE, message="")
            assert not finish_series(series=series, state=StartSeries.State.DONE, message="")

    assert [record.getMessage() for record in caplog.records if record.name.startswith("apps.")] == []


def test_a_database_with_a_past_gets_none(
    emulator: Emulator, settings: Any, make_session: Callable[..., StoredSession]
) -> None:
    settings.AUTH_DISABLED = settings.DEMO_HISTORY = True
    make_run(make_session())
    seed()

    assert not StartSeries.objects.exists()
    assert Invocation.objects.count() == 1


def test_the_conversations_are_held(loom: Loom) -> None:
    """As anybody would: each turn is answered by the agent, in the session of the turn before."""
    begin = (
        "from apps.accounts.sign_in.development import development_account; "
        "from loom.demo_history import start_conversations; start_conversations(development_account())"
    )
    client = Client(loom.url)
    prompts: dict[str, list[str]] = {}
    for name, prompt in TURNS:
        prompts.setdefault(name, []).append(prompt)

    def held() -> dict[str, Session]:
        """The sessions that begin as the conversations do, by their agent."""
        return {
            name: session
            for name in prompts
            for listed in client.sessions(loom.agent_id(name), limit=20)
            if (session := client.session(listed.agent_id, listed.session_id)).invocations
            and session.invocations[0].prompt == prompts[name][0]
        }

    def is_over() -> bool:
        runs = [run.status for session in held().values() for run in session.invocations]
        return runs == ["complete"] * len(TURNS)

    manage(loom, "shell", "-c", begin)
    wait_until(is_over, "every turn is answered", 180)
    first = held()
    for name, session in first.items():
        assert [(run.prompt, run.status) for run in session.invocations] == [(one, "complete") for one in prompts[name]]
        assert session.purpose == "conversation"
        assert len(loom.emulator.invocations(session.session_id)) == len(prompts[name])
    assert "It may rain on Saturday" in first["travel_concierge"].invocations[1].response


def test_a_history_can_be_declined_and_needs_somebody_to_belong_to(emulator: Emulator, settings: Any) -> None:
    settings.AUTH_DISABLED, settings.DEMO_HISTORY = True, False
    seed()
    settings.AUTH_DISABLED, settings.DEMO_HISTORY = False, True
    assert seed() == "the demo agents are registered already\n"
    assert not StartSeries.objects.exists()
    User.objects.create(email="root@example.com", is_superuser=True)
    seed()

    assert {series.owner.email for series in StartSeries.objects.all()} == {"root@example.com"}
