from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from apps.core.models import Notice, Process
from apps.core.notices import notices
from apps.core.notices.changes import SqliteBell, Waker, changes
from apps.core.running.processes import register


@pytest.fixture
def waker() -> Iterator[Waker]:
    made = Waker()
    yield made
    made.close()
    changes.end()


@pytest.fixture
def other() -> Iterator[ThreadPoolExecutor]:
    """A thread with a connection of its own, as another process has."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        yield thread
        thread.submit(connections.close_all).result()


@pytest.mark.django_db(transaction=True)
def test_it_rings_for_a_notice_of_another_connection_and_counts_every_commit(
    waker: Waker, other: ThreadPoolExecutor
) -> None:
    bell = SqliteBell(waker)
    assert bell.wait()  # what there was before
    before = changes.commits

    other.submit(register, Process.Kind.WEB).result()
    assert not bell.wait()  # no notice; it returned because time was up
    assert before is not None and changes.commits == before + 1
    other.submit(notices.notify, "session:1", "ended").result()
    assert bell.wait()
    assert changes.commits == before + 2


@pytest.mark.django_db(transaction=True)
def test_what_this_process_commits_ends_the_wait_at_once(waker: Waker, other: ThreadPoolExecutor) -> None:
    bell = SqliteBell(waker)
    assert bell.wait()

    def change() -> bool:
        with transaction.atomic():
            notices.notify("session:1", "ended")
            is_silent = not waker.wait(0)
        return is_silent

    assert other.submit(change).result()  # nothing before the commit
    assert waker.wait(0)
    assert bell.wait()


@pytest.mark.django_db(transaction=True)
def test_a_wait_ends_with_its_process(waker: Waker) -> None:
    bell = SqliteBell(waker)
    heard: list[bool] = []

    def wait_on() -> None:
        while not waker.is_over:
            heard.append(bell.wait())
        connections.close_all()

    thread = threading.Thread(target=wait_on)
    thread.start()
    waker.end()
    thread.join(10)

    assert not thread.is_alive()


def test_whoever_wakes_what_is_closed_writes_into_no_other_file() -> None:
    closed = Waker()
    closed.close()
    reader, writer = os.pipe()  # has the numbers that are free now
    os.set_blocking(reader, False)

    closed.wake()

    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    os.close(reader)
    os.close(writer)


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_begins_anew(waker: Waker, other: ThreadPoolExecutor) -> None:
    bell = SqliteBell(waker)
    assert bell.wait()
    for number in range(5):
        connections.close_all()
        other.submit(Notice.objects.create, topic=f"session:{number}", kind="changed").result()
        assert bell.wait()
