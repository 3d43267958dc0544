"""The tags of sessions: how they are set and read, and how those of the release before are taken over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core.exceptions import InvalidInputError
from apps.core.models import Notice, Tag
from apps.sessions.keeping import delete_session, purge_deleted
from apps.sessions.models import Session, SessionTag
from apps.sessions.selectors import tags_by_session
from apps.sessions.services import set_session_tags

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
copying = import_module("apps.sessions.migrations.0007_copy_tags")


def test_tags_replace_those_before_keep_their_order_and_are_written_for_the_release_before(
    make_session: MakeSession,
) -> None:
    one, other = make_session(), make_session()
    set_session_tags(session=other, names=["Rain"])

    assert set_session_tags(session=one, names=["zoo", "rain", "Zoo", " a,  b "]) == ["zoo", "Rain", "a, b"]

    one.refresh_from_db()
    assert one.former_tags == ["zoo", "Rain", "a, b"]
    with CaptureQueriesContext(connection) as queries:
        assert tags_by_session([one.pk, other.pk]) == {one.pk: ["zoo", "Rain", "a, b"], other.pk: ["Rain"]}
    assert len(queries) == 1
    assert Notice.objects.filter(topic=one.topic, kind="tagged").exists()
    with pytest.raises(InvalidInputError):
        set_session_tags(session=one, names=["x" * 41])
    set_session_tags(session=one, names=[])
    assert tags_by_session([one.pk, other.pk]) == {one.pk: [], other.pk: ["Rain"]}


def test_a_deleted_session_takes_its_tags_along_and_leaves_those_of_others(make_session: MakeSession) -> None:
    one, other = make_session(), make_session()
    for session in (one, other):
        set_session_tags(session=session, names=["rain"])
    key = one.pk

    delete_session(session=one)
    assert tags_by_session([key]) == {key: ["rain"]}  # for who brings it back
    purge_deleted(timezone.now() + timedelta(hours=2))

    assert tags_by_session([key, other.pk]) == {key: [], other.pk: ["rain"]}


def copy() -> None:
    copying.copy_to_rows(apps, SimpleNamespace(connection=connection))


def test_whatever_the_administration_took_for_tags_is_copied_as_far_as_it_is_words(make_session: MakeSession) -> None:
    stored: list[Any] = [
        [], ["red", "ünï, code"], ["Red", "RED", "ÜNÏ, code"], "red", {"red": 1},
        [1, 2.5, True, None, ["x"], " a\n b "],
        ["x" * 41, "x" * 50], ["", " "],
    ]  # fmt: skip
    keys = []
    for tags in stored:
        session = make_session()
        Session.objects.filter(pk=session.pk).update(former_tags=tags)
        keys.append(session.pk)

    copy()

    expected = [[], ["red", "ünï, code"], ["red", "ünï, code"], [], [], ["1", "2.5", "a b"], ["x" * 40], []]
    assert list(tags_by_session(keys).values()) == expected
    assert [Session.objects.get(pk=key).former_tags for key in keys] == stored


def test_many_sessions_are_copied_in_chunks_and_copied_again_after_the_way_back(
    make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "AT_ONCE", 2)
    keys = [make_session().pk for _ in range(5)]
    Session.objects.update(former_tags=["red", "blue"])
    Session.objects.filter(pk=keys[0]).update(former_tags=["RED"])

    copy()
    copying.delete_rows(apps, SimpleNamespace(connection=connection))
    assert SessionTag.objects.count() == 0
    copy()

    assert list(tags_by_session(keys).values()) == [["RED"], *[["RED", "blue"]] * 4]
    assert Tag.objects.count() == 2


def test_a_row_that_nobody_copied_is_found_by_counting(make_session: MakeSession) -> None:
    set_session_tags(session=make_session(), names=["red"])
    Session.objects.update(former_tags=[])

    with pytest.raises(copying.TagsNotCopiedError, match="Sessions have 0 tags, but 1 were copied"):
        copy()
