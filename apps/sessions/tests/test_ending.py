"""The end of a session that several ask for at once, as web and worker do for the same series."""

from __future__ import annotations

import logging

import pytest
from django.utils import timezone

from apps.core.models import Notice
from apps.sessions.models import Session
from apps.sessions.services import end_session
from apps.sessions.tests.memory_host import MemoryHost
from apps.sessions.tests.queueing import MakeSession
from apps.sessions.tests.queueing import echo as echo
from apps.sessions.tests.queueing import talk as talk


@pytest.mark.parametrize("is_ended_meanwhile", [False, True])
def test_it_is_told_to_pages_by_each_and_to_the_log_once(
    talk: MakeSession,
    echo: MemoryHost,
    is_ended_meanwhile: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = talk()

    async def end(ended: Session) -> None:
        """By another process, which is quicker."""
        await Session.objects.filter(pk=ended.pk).aupdate(ended_at=timezone.now())

    if is_ended_meanwhile:
        monkeypatch.setattr(echo, "end_session", end)
    with caplog.at_level(logging.INFO):
        end_session(session=session)
        end_session(session=session)  # asked for later: of an environment that was made since then

    said = [message for message in caplog.messages if message.startswith("session ended")]
    assert len(said) == (0 if is_ended_meanwhile else 2)
    assert Notice.objects.filter(topic=session.topic, kind="ended").count() == 2
    session.refresh_from_db()
    assert session.is_ended
