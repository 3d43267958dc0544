"""What was said goes after its time, wherever it stands: looked for in every column of every table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from apps.metrics.models import StartSeries
from apps.metrics.series.services import remove_expired_prompts
from apps.sessions.engine.housekeeping import remove_expired_content
from apps.sessions.models import Invocation, QueuedPrompt, Recording, RecordingBatch, Session

pytestmark = pytest.mark.django_db
SAID = "sesame-4711"


def places() -> set[str]:
    """The columns that hold what was said."""
    return {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if any(SAID in str(value) for value in model._default_manager.values_list(field.attname, flat=True))
    }


@pytest.fixture
def said(make_session: Callable[..., Session]) -> Session:
    """Something that was said everywhere; all of it is over but what was typed ahead."""
    now = timezone.now() - timedelta(seconds=1)
    session = make_session(title=SAID)
    run = Invocation.objects.create(
        session=session, number=1, status="failed", prompt=SAID, payload=SAID, response_text=SAID, error_message=SAID,
        requested_at=now, invoked_at=now, completed_at=now,
    )  # fmt: skip
    event = {"seq": 1, "offset_ms": 1.0, "kind": "text", "text": SAID}
    RecordingBatch.objects.create(invocation=run, first_sequence=1, last_sequence=1, events=[event])
    Recording.objects.create(invocation=run, events=[event])
    StartSeries.objects.create(
        agent=session.agent, owner=session.owner, prompt=SAID, count=1, max_cost_usd=1, estimated_cost_usd=0,
        state="done", created_at=now, finished_at=now,
    )  # fmt: skip
    make_session(agent=session.agent, title=SAID)  # its prompt was refused: no run was ever stored
    return session


@pytest.mark.parametrize("days", [0, 30])
def test_nothing_that_was_said_stays_behind(said: Session, settings: Any, days: int) -> None:
    settings.CONTENT_RETENTION_DAYS = days
    assert {
        "agent_sessions.Invocation.prompt",
        "agent_sessions.Session.title",
        "metrics.StartSeries.prompt",
    } <= places()
    before, after = (timezone.now() + timedelta(days=days, seconds=seconds) for seconds in (-60, 60))
    for remove in (remove_expired_content, remove_expired_prompts):
        assert remove(before) == 0
        assert remove(after) == 1
        assert remove(after) == 0

    assert places() == set()
    assert (Invocation.objects.count(), StartSeries.objects.count()) == (1, 1)


def test_what_is_still_to_be_sent_keeps_its_prompt(said: Session, settings: Any) -> None:
    settings.CONTENT_RETENTION_DAYS = 0
    StartSeries.objects.update(state="running", finished_at=None)
    QueuedPrompt.objects.create(session=said, position=1, text=SAID, created_at=timezone.now())
    for remove in (remove_expired_content, remove_expired_prompts):
        remove(timezone.now() + timedelta(minutes=1))

    assert places() == {"metrics.StartSeries.prompt", "agent_sessions.QueuedPrompt.text"}


def test_a_prompt_typed_ahead_of_a_run_that_never_ended_goes_too(said: Session, settings: Any) -> None:
    settings.CONTENT_RETENTION_DAYS = 30
    QueuedPrompt.objects.create(session=said, position=1, text=SAID, created_at=timezone.now())
    remove_expired_content(timezone.now() + timedelta(days=31))

    assert not QueuedPrompt.objects.exists()
