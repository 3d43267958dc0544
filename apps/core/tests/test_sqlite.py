"""Connections to SQLite that go from one thread to the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from apps.core.sqlite.base import DatabaseWrapper, KeptConnections

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeptConnections]:
    kept = KeptConnections(room=2)
    monkeypatch.setattr("apps.core.sqlite.base.kept_connections", kept)
    yield kept
    kept.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    wrapper = wrapped(tmp_path / "some.db")
    of(wrapper).execute("CREATE TABLE words (word TEXT)")
    wrapper.close()
    return tmp_path / "some.db"


def wrapped(path: Path) -> DatabaseWrapper:
    """What a thread has."""
    options = {"init_command": "PRAGMA journal_mode=WAL", "transaction_mode": "IMMEDIATE"}
    settings: dict[str, Any] = {**connections.databases["default"], "NAME": str(path), "OPTIONS": options}
    return DatabaseWrapper(settings, alias="other")


def of(wrapper: DatabaseWrapper) -> Any:
    """The connection itself, opened where that is not done yet: there are no models of what stands in these files."""
    wrapper.ensure_connection()
    return wrapper.connection


def words(wrapper: DatabaseWrapper) -> list[str]:
    return [word for (word,) in of(wrapper).execute("SELECT word FROM words ORDER BY rowid").fetchall()]


def say(wrapper: DatabaseWrapper, word: str) -> None:
    of(wrapper).execute("INSERT INTO words VALUES (?)", [word])


def ask(path: Path) -> tuple[Any, list[str]]:
    """In a thread of its own, as a request: the connection itself, and what it reads."""

    def request() -> tuple[Any, list[str]]:
        wrapper = wrapped(path)
        found = words(wrapper)
        connection = wrapper.connection
        wrapper.hand_on()
        return connection, found

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(request).result()


def test_the_next_thread_has_the_connection_of_the_last_and_reads_what_others_wrote(place: Path) -> None:
    other = wrapped(place)
    say(other, "hello")
    first, _ = ask(place)
    say(other, "world")
    other.close()

    assert ask(place) == (first, ["hello", "world"])


def test_who_closes_leaves_nothing_to_others(place: Path) -> None:
    wrapper = wrapped(place)
    words(wrapper)
    first = wrapper.connection
    wrapper.close()

    assert ask(place)[0] is not first


@pytest.mark.parametrize("what", ["transaction", "error", "query"])
def test_one_that_is_not_done_is_closed(place: Path, what: str) -> None:
    wrapper, other = wrapped(place), wrapped(place)
    say(wrapper, "before")
    words(other)
    first, unread = wrapper.connection, None
    if what == "transaction":
        first.execute("BEGIN")
    elif what == "query":
        unread = wrapper.create_cursor()
        unread.execute("SELECT word FROM words")
    else:
        wrapper.errors_occurred = True
    wrapper.hand_on()
    say(other, "after")
    other.close()

    found, read = ask(place)
    assert (found is first, read) == (False, ["before", "after"])
    del unread


def test_a_file_in_the_place_of_another_is_opened(place: Path, tmp_path: Path) -> None:
    first, _ = ask(place)
    copy = wrapped(tmp_path / "copy.db")
    of(copy).execute("CREATE TABLE words (word TEXT)")
    say(copy, "restored")
    copy.close()
    (tmp_path / "copy.db").rename(place)

    found, read = ask(place)
    assert (found is first, read) == (False, ["restored"])


def test_one_gets_old(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.databases["default"], "CONN_MAX_AGE", 0)
    first, _ = ask(place)

    assert ask(place)[0] is not first


def test_no_more_are_kept_than_there_is_room_for(place: Path) -> None:
    wrappers = [wrapped(place) for _ in range(3)]
    for wrapper in wrappers:
        words(wrapper)
    made = [wrapper.connection for wrapper in wrappers]
    for wrapper in wrappers:
        wrapper.hand_on()
    later = [wrapped(place) for _ in range(3)]
    for wrapper in later:
        words(wrapper)

    assert [wrapper.connection in made for wrapper in later] == [True, True, False]
    for wrapper in later:
        wrapper.close()


def test_a_process_that_was_forked_off_opens_its_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = ask(place)
    parent = os.getpid()
    monkeypatch.setattr("apps.core.sqlite.base.os.getpid", lambda: parent + 1)
    found, _ = ask(place)

    assert found is not first
    first.execute("SELECT 1")  # it is still open, for the parent
