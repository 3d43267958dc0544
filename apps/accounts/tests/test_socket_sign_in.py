from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase

from apps.accounts.middleware import SocketSignIn
from apps.accounts.models import User


@pytest.fixture
def development(settings: Any) -> None:
    settings.DEBUG = True
    settings.AUTH_DISABLED = True


def user_of_socket(user: User | AnonymousUser | None = None, **overrides: Any) -> str:
    """Pass a socket's scope through the middleware and return whom the consumer would see."""
    seen: list[Any] = []

    async def consumer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope["user"])

    scope = {
        "type": "websocket",
        "user": user or AnonymousUser(),
        "client": ["127.0.0.1", 50000],
        "server": ["127.0.0.1", 8000],
        "headers": [(b"Host", b"localhost:8000")],
        **overrides,
    }
    async_to_sync(SocketSignIn(consumer))(scope, None, None)
    return str(seen[0])


@pytest.mark.django_db(transaction=True)
def test_a_local_socket_is_signed_in(development: None) -> None:
    assert user_of_socket() == "dev@local"


@pytest.mark.parametrize(
    "overrides",
    [
        {"client": ["192.168.1.7", 50000]},
        {"client": None},
        {"server": ["192.168.1.2", 8000]},
        {"server": ["/run/loom.sock", None]},
        {"server": None},
        {"headers": []},
        {"headers": [(b"host", b"evil.example")]},
        {"headers": [(b"host", b"localhost"), (b"X-Forwarded-For", b"127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"forwarded", b"for=127.0.0.1")]},
        {"headers": [(b"host", b"localhost"), (b"x-forwarded-host", b"localhost")]},
        {"headers": [(b"host", b"localhost"), (b"x-forwarded-proto", b"http")]},
        {"headers": [(b"host", b"localhost"), (b"x-real-ip", b"\xff")]},
        {"headers": [(b"host", b"localhost"), (b"via", b"1.1 proxy")]},
    ],
)
def test_any_other_socket_is_not(development: None, overrides: dict[str, Any]) -> None:
    """Without asking the database, which these tests have none of."""
    assert user_of_socket(**overrides) == "AnonymousUser"


def test_a_local_socket_needs_both_settings(settings: Any) -> None:
    settings.DEBUG, settings.AUTH_DISABLED = False, True
    assert user_of_socket() == "AnonymousUser"
    settings.DEBUG, settings.AUTH_DISABLED = True, False
    assert user_of_socket() == "AnonymousUser"


@pytest.mark.django_db
def test_the_socket_of_who_signed_in_stays_hers(development: None, alice: User) -> None:
    assert user_of_socket(alice, session=SessionBase("k" * 32)) == "alice@example.com"
