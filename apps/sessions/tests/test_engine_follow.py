"""Following a run that another process streams: every event once and in order, whatever happens to its recording."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.models import Process
from apps.core.running import processes
from apps.sessions.engine.engine import follow
from apps.sessions.engine.housekeeping import compact_recordings
from apps.sessions.engine.recording import Pending, finish_invocation, write_batches
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Recording, Session
from apps.sessions.selectors import events_after
from apps.sessions.tests.waiting import wait_until
from loom_events.recorded import RecordedEvent


def events(first: int, last: int) -> list[RecordedEvent]:
    return [
        {"seq": number, "offset_ms": float(number), "kind": "text", "text": f"{number} "}
        for number in range(first, last + 1)
    ]


class Elsewhere:
    """A run in another process, as far as its rows tell."""

    def __init__(self, session: Session) -> None:
        self.process = processes.register(Process.Kind.WEB)
        self.invocation = start_invocation(session=session, prompt="go", process_id=self.process.pk)
        self.count = 0

    def stream(self, count: int) -> None:
        batch = events(self.count + 1, self.count + count)
        assert write_batches(self.process.pk, [Pending(self.invocation.pk, batch)]) == set()
        self.count += count

    def finish(self, count: int) -> None:
        rest = Pending(self.invocation.pk, events(self.count + 1, self.count + count), {"last_sequence": self.count})
        assert finish_invocation(self.process.pk, rest, status="completed", completed_at=timezone.now())
        self.count += count

    def compact(self) -> int:
        return compact_recordings(timezone.now() + timedelta(minutes=1))


@pytest.fixture
def elsewhere(transactional_db: None, make_session: Callable[..., Session]) -> Elsewhere:
    return Elsewhere(make_session())


async def test_a_run_of_another_process_is_followed_without_gap_or_repeat(elsewhere: Elsewhere) -> None:
    seen: list[RecordedEvent] = []
    from_two: list[RecordedEvent] = []

    async def watch(into: list[RecordedEvent], after: int) -> None:
        async for new in follow(elsewhere.invocation.pk, after):
            into.extend(new)

    async def has_seen_three() -> bool:
        return len(seen) == 3

    await sync_to_async(elsewhere.stream)(3)
    viewers = asyncio.gather(watch(seen, 0), watch(from_two, 2))
    await wait_until(has_seen_three, "three events are seen")
    # All of it between two looks of the viewers, which find neither the batches nor the run where they left them.
    await sync_to_async(elsewhere.stream)(2)
    await sync_to_async(elsewhere.finish)(2)
    assert await sync_to_async(elsewhere.compact)() == 1
    await asyncio.wait_for(viewers, 60)

    assert seen == events(1, 7)
    assert from_two == events(3, 7)
    for after in (0, 3, 7, 8):
        assert [event async for new in follow(elsewhere.invocation.pk, after) for event in new] == events(after + 1, 7)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 4300), min_size=1, max_size=5),
)
@pytest.mark.django_db(transaction=True)
def test_what_comes_after_an_event_is_the_same_before_and_after_compaction(
    make_session: Any, sizes: list[int], cuts: list[int]
) -> None:
    run = Elsewhere(make_session())
    for size in sizes:
        run.stream(size)
    before = [events_after(run.invocation.pk, cut) for cut in cuts]
    run.finish(1)
    run.compact()

    for cut, found in zip(cuts, before, strict=True):
        expected = events(cut + 1, run.count)
        assert found == expected[: max(0, run.count - 1 - cut)]
        assert events_after(run.invocation.pk, cut) == expected


def test_a_long_recording_is_not_read_from_its_beginning(elsewhere: Elsewhere) -> None:
    elsewhere.stream(2400)
    elsewhere.finish(100)
    elsewhere.compact()
    parts = Recording.objects.filter(invocation=elsewhere.invocation)
    assert list(parts.values_list("first_sequence", flat=True)) == [1, 1001, 2001]

    parts.filter(first_sequence__lt=2001).delete()  # what is not read is not missed
    assert events_after(elsewhere.invocation.pk, 2300) == events(2301, 2500)
    assert events_after(elsewhere.invocation.pk, 2000) == events(2001, 2500)


def test_a_run_that_is_over_stays_over(elsewhere: Elsewhere) -> None:
    elsewhere.finish(2)
    rest = Pending(elsewhere.invocation.pk, events(3, 4), {"error_code": "late"})

    assert not finish_invocation(elsewhere.process.pk, rest, status="failed", completed_at=timezone.now())
    row = Invocation.objects.get()
    assert (row.status, row.error_code, row.session.agent.invocation_count) == ("completed", "", 1)
    assert events_after(row.pk) == events(1, 2)
