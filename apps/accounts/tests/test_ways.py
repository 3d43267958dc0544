from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.sessions.backends import db
from django.http import HttpRequest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.accounts.sign_in.ways import SignIn, web_session_user
from apps.accounts.sign_in.web_sessions import SessionStore

pytestmark = pytest.mark.django_db

Change = Callable[[User, SessionStore], Any]


@pytest.fixture
def store(alice: User) -> SessionStore:
    """A web session of alice's, as the login page makes it."""
    store = SessionStore()
    store[SESSION_KEY] = str(alice.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = alice.get_session_auth_hash()
    store.create()
    return store


def change_password(user: User, store: SessionStore) -> None:
    user.set_password("another one")
    user.save()


def let_expire(user: User, store: SessionStore) -> None:
    store.get_model_class().objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def let_somebody_else_in(user: User, store: SessionStore) -> None:
    other = User.objects.create(email="other@example.com", password="x")
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(other.pk), other.get_session_auth_hash()
    store.save()


CHANGES: list[Change] = [
    lambda user, store: store.flush(),
    lambda user, store: User.objects.update(is_active=False),
    lambda user, store: user.delete(),
    change_password,
    let_expire,
    let_somebody_else_in,
]


@pytest.mark.parametrize("change", CHANGES)
def test_who_was_let_in_once_is_judged_again_when_anything_has_changed(
    alice: User, store: SessionStore, change: Change
) -> None:
    sign_in = SignIn(alice.pk, session_key=store.session_key)
    assert [sign_in.current_user() for _ in range(3)] == 3 * [alice]

    change(User.objects.get(), store)

    assert [sign_in.current_user() for _ in range(2)] == [None, None]


def test_who_is_let_in_is_the_user_as_he_is_now(alice: User, store: SessionStore) -> None:
    sign_in = SignIn(alice.pk, session_key=store.session_key)
    sign_in.current_user()
    User.objects.update(is_staff=True)

    user = sign_in.current_user()
    assert user is not None
    assert user.is_staff


def test_while_nothing_changes_he_is_not_judged_again(
    alice: User, store: SessionStore, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sign_in = SignIn(alice.pk, session_key=store.session_key)
    sign_in.current_user()

    with django_assert_num_queries(2):  # whether anything has
        assert sign_in.current_user() == alice


def test_whoever_never_was_signed_in_is_not_let_in(alice: User) -> None:
    sign_in = SignIn(alice.pk, session_key="nothing")

    assert [sign_in.current_user() for _ in range(2)] == [None, None]


def test_a_web_session_is_what_django_would_have_found(store: SessionStore) -> None:
    key = store.session_key

    assert SessionStore(key).load() == db.SessionStore(key).load() == dict(store.items())
    # Django asks this of its store; where it asks another, ours is not asked any more.
    assert "_get_session_from_db" in vars(db.SessionStore)


@pytest.mark.parametrize("change", [let_expire, lambda user, store: store.flush()])
def test_a_web_session_that_is_over_is_empty_and_its_key_is_not_used_again(
    alice: User, store: SessionStore, change: Change
) -> None:
    key = store.session_key
    change(alice, store)

    for engine in (SessionStore, db.SessionStore):
        found = engine(key)
        assert (dict(found.items()), found.session_key) == ({}, None)


@pytest.mark.parametrize(
    "change",
    [
        lambda session, user, settings: None,
        lambda session, user, settings: session.clear(),
        lambda session, user, settings: session.update({SESSION_KEY: str(user.pk + 1000)}),
        lambda session, user, settings: session.update({HASH_SESSION_KEY: "another password's"}),
        lambda session, user, settings: session.pop(HASH_SESSION_KEY),
        lambda session, user, settings: session.update({BACKEND_SESSION_KEY: "somewhere.Else"}),
        lambda session, user, settings: User.objects.filter(pk=user.pk).update(is_active=False),
        lambda session, user, settings: User.objects.filter(pk=user.pk).update(password="!"),
        lambda session, user, settings: user.delete(),
        lambda session, user, settings: _with_another_secret(settings, is_former_known=True),
        lambda session, user, settings: _with_another_secret(settings, is_former_known=False),
    ],
    ids=[
        "signed in", "signed out", "unknown key", "other hash", "no hash", "other backend", "inactive",
        "other password", "deleted", "former secret", "unknown secret",
    ],
)  # fmt: skip
def test_a_web_session_signs_in_whom_django_says(
    alice: User, store: SessionStore, settings: Any, change: Callable[[SessionStore, User, Any], object]
) -> None:
    change(store, alice, settings)
    store.save()
    found, key = [], store.session_key
    for judge in (web_session_user, get_user):
        request = HttpRequest()
        request.session = SessionStore(key)
        found.append(judge(request))
        key = request.session.session_key  # another one where it was signed with the former secret

    assert found[0] == found[1]
    assert found[0].is_authenticated is found[1].is_authenticated


def _with_another_secret(settings: Any, *, is_former_known: bool) -> None:
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another secret of fifty characters or more, as it has to be"
    settings.SECRET_KEY_FALLBACKS = [former] if is_former_known else []
