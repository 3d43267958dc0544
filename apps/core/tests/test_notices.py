from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from apps.core.models import Notice
from apps.core.notices import notices
from apps.core.notices.tail import NoticeReader, Tail


def make_notice(pk: int, topic: str | None = None) -> None:
    Notice.objects.create(pk=pk, topic=topic or f"session:{pk}", kind="changed")


def read_ids(reader: NoticeReader) -> list[int]:
    return [int(topic.removeprefix("session:")) for topic, _kind in reader.read()]


async def follow(topic: str) -> tuple[InMemoryChannelLayer, str]:
    layer = get_channel_layer()
    assert isinstance(layer, InMemoryChannelLayer)
    await layer.flush()
    channel = await layer.new_channel()
    await layer.group_add(notices.group_name(topic), channel)
    return layer, channel


async def hear(layer: InMemoryChannelLayer, channel: str) -> object:
    async with asyncio.timeout(10):
        return await layer.receive(channel)


def test_group_name_is_one_that_channels_accepts_and_tells_topics_apart() -> None:
    topics = ["session:1", "session.1", "agents", "s" * 100, "Zürich/ü"]

    names = [notices.group_name(topic) for topic in topics]

    assert all(InMemoryChannelLayer().require_valid_group_name(name) for name in names)
    assert len(set(names)) == len(topics)


@pytest.mark.django_db
def test_notify_writes_a_row_with_the_change_and_none_when_it_is_undone() -> None:
    notices.notify("session:1", "ended")
    with pytest.raises(RuntimeError, match="undone"), transaction.atomic():
        notices.notify("session:2", "ended")
        raise RuntimeError("undone")

    assert list(Notice.objects.values_list("topic", "kind")) == [("session:1", "ended")]


@pytest.mark.django_db(transaction=True)
def test_with_redis_the_channel_layer_carries_it_after_the_commit(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:6379/0"

    def change() -> None:
        with pytest.raises(RuntimeError, match="undone"), transaction.atomic():
            notices.notify("session:1", "undone")
            raise RuntimeError("undone")
        with transaction.atomic():
            notices.notify("session:1", "ended")

    async def scenario() -> object:
        async with Tail():
            layer, channel = await follow("session:1")
            await sync_to_async(change)()
            return await hear(layer, channel)

    assert async_to_sync(scenario)() == {"type": "notice", "topic": "session:1", "kind": "ended"}
    assert Notice.objects.count() == 0


@pytest.mark.django_db
def test_reader_begins_after_what_is_there_and_reads_each_notice_once() -> None:
    reader = NoticeReader()
    make_notice(5000)
    reader.skip_past()
    make_notice(5001)
    make_notice(5002)

    assert read_ids(reader) == [5001, 5002]
    assert read_ids(reader) == []


@pytest.mark.django_db
def test_reader_finds_what_was_committed_late_before_and_after_its_start() -> None:
    reader = NoticeReader()
    make_notice(5000)
    reader.skip_past()
    make_notice(5003)
    assert read_ids(reader) == [5003]
    make_notice(4999)
    make_notice(5002)

    assert read_ids(reader) == [4999, 5002]
    make_notice(5001)
    assert read_ids(reader) == [5001]


@pytest.mark.django_db
def test_reader_tells_equal_notices_once() -> None:
    reader = NoticeReader()
    reader.skip_past()
    for pk, topic in enumerate(["agents", "session:1", "agents"], start=1):
        make_notice(pk, topic)

    assert reader.read() == [("agents", "changed"), ("session:1", "changed")]


@pytest.mark.django_db
def test_reader_reads_a_flood_in_batches_without_a_loss() -> None:
    reader = NoticeReader()
    reader.skip_past()
    Notice.objects.bulk_create(Notice(pk=pk, topic=f"session:{pk}", kind="changed") for pk in range(1, 2502))

    batches = [read_ids(reader) for _ in range(4)]

    assert [len(batch) for batch in batches] == [1000, 1000, 501, 0]
    assert [pk for batch in batches for pk in batch] == list(range(1, 2502))


@pytest.mark.django_db
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(order=st.permutations(range(1, 30)), reads=st.sets(st.integers(0, 28)))
def test_whatever_the_order_of_commits_each_notice_is_read_once(order: list[int], reads: set[int]) -> None:
    Notice.objects.all().delete()
    reader = NoticeReader()
    reader.skip_past()
    heard: list[int] = []
    for position, pk in enumerate(order):
        make_notice(pk)
        if position in reads:
            heard += read_ids(reader)
    heard += read_ids(reader)

    assert sorted(heard) == list(range(1, 30))


@pytest.mark.django_db
def test_prune_keeps_ten_minutes() -> None:
    now = timezone.now()
    make_notice(1)
    make_notice(2)
    Notice.objects.filter(pk=1).update(created_at=now - timedelta(minutes=10, seconds=1))

    notices.prune(now)

    assert list(Notice.objects.values_list("pk", flat=True)) == [2]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- a line of the log, no event tells
            await asyncio.sleep(0.01)


def rename_table(old: str, new: str) -> None:
    with connection.schema_editor() as editor:
        editor.alter_db_table(Notice, old, new)


@pytest.mark.django_db(transaction=True)
def test_tail_hands_on_what_another_process_wrote_even_after_the_database_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> list[object]:
        layer, channel = await follow("session:1")
        async with Tail():
            await sync_to_async(notices.notify)("session:2", "of no concern")
            await sync_to_async(notices.notify)("session:1", "started")
            heard = [await hear(layer, channel)]
            await sync_to_async(rename_table)("core_notice", "gone")
            try:
                await until(lambda: "notices not delivered" in caplog.text)
            finally:
                await sync_to_async(rename_table)("gone", "core_notice")
            await sync_to_async(notices.notify)("session:1", "ended")
            return [*heard, await hear(layer, channel)]

    with caplog.at_level(logging.WARNING, logger="apps.core.notices.tail"):
        heard = async_to_sync(scenario)()

    assert heard == [
        {"type": "notice", "topic": "session:1", "kind": "started"},
        {"type": "notice", "topic": "session:1", "kind": "ended"},
    ]
    assert len(caplog.records) == 1
