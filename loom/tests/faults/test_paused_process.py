"""A process that was paused and declared dead wakes up in the middle of a run."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.sessions.engine.housekeeping import take_care_of_orphans
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, RecordingBatch, Session
from apps.sessions.selectors import events_after
from loom.tests.halting_agent import halting_agent
from loom.tests.running import Running, wait_until
from loom.tests.this_database import url_of_this_database
from loom_events.fold import answer_text

HALF = "".join(f"{number} " for number in range(20))
LINES = b"".join(b'data: "%d "\n\n' % number for number in range(20))


def snapshot(invocation: Invocation) -> list[Any]:
    """All that is stored of a run."""
    batches = RecordingBatch.objects.filter(invocation=invocation)
    return [*Invocation.objects.filter(pk=invocation.pk).values(), *batches.values()]


@pytest.mark.django_db(transaction=True)
def test_a_process_that_was_declared_dead_overwrites_nothing(make_session: Callable[..., Session]) -> None:
    invocation = start_invocation(session=make_session(), prompt="go", process_id=None)
    with halting_agent() as agent:
        environment = {"DATABASE_URL": url_of_this_database(), "EMULATOR_PORT": str(agent.port)}
        with Running("-m", "loom.tests.lone_engine", str(invocation.pk), environment=environment) as running:
            agent.say(LINES)
            wait_until(lambda: answer_text(events_after(invocation.pk)) == HALF, "the first half is recorded")
            running.process.send_signal(signal.SIGSTOP)
            assert take_care_of_orphans(timezone.now() + timedelta(seconds=9)) == 1
            interrupted = snapshot(invocation)
            agent.say(LINES)  # it lies there when the process wakes up
            running.process.send_signal(signal.SIGCONT)
            line = running.wait_for_line("over after")
            assert running.wait_for_end() == 0

    row = Invocation.objects.get()
    assert snapshot(invocation) == interrupted
    assert (row.status, row.error_code) == ("interrupted", "interrupted")
    assert [event["seq"] for event in events_after(row.pk)] == list(range(1, row.last_sequence + 1))
    assert row.response_text == HALF
    said = re.search(r"over after (\d+) events", line)
    assert said and int(said[1]) > row.last_sequence  # it had more to write
