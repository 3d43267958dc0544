"""What is prepared reads and writes what Django's ORM would, on the database that these tests run on."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from apps.core.models import LimitCount, Notice, Process, Tag
from apps.core.prepared import Insert, JsonText, Select, SelectAmong, Update, slot

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)


@contextmanager
def sent() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that reaches the database, with its parameters."""
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.extend((sql, each) for each in params) if many else statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield statements


def process(**columns: Any) -> Process:
    """With all that the database has a default for, which the ORM sends and a prepared statement leaves to it."""
    told = {"name": "web", "restart_count": 0}
    return Process(
        **{"kind": Process.Kind.WEB, "host": "here", "pid": 1, "started_at": NOON, "beat_at": NOON} | told | columns
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: process(id=uuid.UUID(int=7)),
        lambda: process(id=uuid.UUID(int=8), host="Zürich 🚂 %s '\"", ended_at=NOON, pid=2**31 - 1),
        lambda: Tag(name="a", key="a"),
        lambda: LimitCount(key="x", count=0, until_at=NOON),
    ],
)
def test_a_row_is_sent_as_the_orm_sends_it(make: Callable[[], Any]) -> None:
    with sent() as by_orm:
        row = make()
        row.save(force_insert=True)
    row.delete()
    with sent() as prepared:
        again = Insert(type(row))(make())

    assert prepared == [statement for statement in by_orm if statement[0].startswith("INSERT")]
    assert type(row).objects.get(pk=again.pk) == again
    assert not again._state.adding


def test_another_thread_uses_what_was_built_over_its_own_connection(transactional_db: None) -> None:
    built, found = [], []

    def build() -> Any:
        built.append(True)
        return Tag.objects.filter(name=slot(Tag, "name"))

    insert, select = Insert(Tag), Select(build)

    def work(name: str) -> None:
        insert(Tag(name=name, key=name))
        found.extend(select(name=name))

    def work_elsewhere() -> None:
        work("there")
        assert connection.connection is not None
        connections.close_all()

    work("here")
    thread = threading.Thread(target=work_elsewhere)
    thread.start()
    thread.join()
    work("here again")

    assert [tag.name for tag in found] == ["here", "there", "here again"]
    assert sorted(found, key=lambda tag: tag.pk) == list(Tag.objects.order_by("pk"))
    assert len(built) == 1


def test_what_is_set_when_it_is_stored_is_set() -> None:
    row = Insert(Notice)(Notice(topic="t", kind="k"))

    assert row.created_at is not None
    assert Notice.objects.get().created_at == row.created_at


def test_rows_are_stored_at_once_and_with_ignore_conflicts_only_new_ones() -> None:
    insert = Insert(Tag)
    insert.all([Tag(name=name, key=name) for name in "ab"])
    insert.all([Tag(name=name.upper(), key=name) for name in "bc"], ignore_conflicts=True)
    insert.all([])

    assert list(Tag.objects.order_by("key").values_list("name", flat=True)) == ["a", "b", "C"]


def test_an_update_changes_what_its_slots_say_and_counts_rows() -> None:
    for number in (1, 2):
        LimitCount.objects.create(key=str(number), count=number, until_at=NOON)
    count_up = Update(lambda: LimitCount.objects.filter(key=slot(LimitCount, "key"), count__lt=5), count=F("count") + 3)
    later = NOON.replace(hour=13)

    assert count_up({"until_at": later}, key="2") == 1
    assert count_up({"until_at": later}, key="2") == 0
    assert count_up({}, key="1") == 1
    found = LimitCount.objects.order_by("key").values_list("key", "count", "until_at")
    assert list(found) == [("1", 4, NOON), ("2", 5, later)]


def test_a_query_is_built_once_and_asked_with_other_values() -> None:
    for number in range(5):
        process(id=uuid.UUID(int=number), pid=number).save(force_insert=True)
    built = []

    def build() -> Any:
        built.append(True)
        return Process.objects.filter(pk=slot(Process, "pk"), pid__gte=slot(Process, "pid", "least"))

    select = Select(build)

    [found] = select(pk=uuid.UUID(int=3), least=0)
    assert found == Process.objects.get(pk=uuid.UUID(int=3))
    assert (found.started_at, found.ended_at, found._state.adding) == (NOON, None, False)
    assert select(pk=uuid.UUID(int=3), least=4) == []
    assert [row.pid for row in select(pk=uuid.UUID(int=4), least=4)] == [4]
    assert len(built) == 1


def test_values_come_as_the_orm_gives_them() -> None:
    for number in range(3):
        process(id=uuid.UUID(int=number), pid=number).save(force_insert=True)
    least = slot(Process, "pid")
    of = Process.objects.order_by("pid")

    assert Select(lambda: of.filter(pid__gte=least).values_list("pk", flat=True))(pid=1) == [
        uuid.UUID(int=1), uuid.UUID(int=2)
    ]  # fmt: skip
    assert Select(lambda: of.filter(pid__gte=least).values("host", "pid")[:1])(pid=2) == [{"host": "here", "pid": 2}]
    assert Select(lambda: of.filter(pid__gte=least).values_list("pid", "beat_at"))(pid=2) == [(2, NOON)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_rows_among_keys_are_those_of_the_keys(count: int) -> None:
    keys = [uuid.UUID(int=number) for number in range(12)]
    for number, key in enumerate(keys):
        process(id=key, pid=number).save(force_insert=True)
    select = SelectAmong(Process, lambda keys: Process.objects.filter(pk__in=keys).values_list("pk", flat=True))

    assert sorted(select(keys[2 : 2 + count])) == keys[2 : 2 + count]
    assert select([uuid.UUID(int=99)]) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_back_equal(value: Any) -> None:
    text = json.dumps(value, cls=JsonText)

    assert json.loads(text) == json.loads(json.dumps(value))


def test_json_that_only_pythons_encoder_takes_is_its() -> None:
    for value in ({True: 1, None: 2}, "half \ud800"):
        assert json.dumps(value, cls=JsonText) == json.dumps(value)
