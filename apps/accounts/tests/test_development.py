from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import authenticate

from apps.accounts.models import User
from apps.accounts.sign_in.development import development_user, is_local_request

LOCAL: dict[str, Any] = {"client": "127.0.0.1", "server": "127.0.0.1", "headers": {"host": "localhost:8000"}}
FORWARDED = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "via",
]


@pytest.fixture
def development(settings: Any) -> Any:
    settings.DEBUG = True
    settings.AUTH_DISABLED = True
    return settings


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_a_request_that_never_left_this_machine_is_local(address: str, host: str) -> None:
    assert is_local_request(client=address, server=address, headers={"host": host})


@pytest.mark.parametrize("end", ["client", "server"])
@pytest.mark.parametrize("address", ["192.168.1.7", "10.0.0.1", "0.0.0.0", "fe80::1", "2001:db8::1", "evil", "", None])  # noqa: S104 -- an address to refuse
def test_both_ends_have_to_be_this_machine(end: str, address: str | None) -> None:
    assert not is_local_request(**{**LOCAL, end: address})


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.localhost", "localhost@evil.example", "192.168.1.7", ""]
)
def test_the_name_has_to_mean_this_machine(host: str) -> None:
    """DNS rebinding: the browser believes to speak to evil.example."""
    assert not is_local_request(**{**LOCAL, "headers": {"host": host}})


def test_a_request_without_a_host_is_not_local() -> None:
    assert not is_local_request(**{**LOCAL, "headers": {}})


@pytest.mark.parametrize("name", FORWARDED)
@pytest.mark.parametrize("value", ["127.0.0.1", ""])
def test_what_a_proxy_passed_on_is_not_local(name: str, value: str) -> None:
    assert not is_local_request(**{**LOCAL, "headers": {**LOCAL["headers"], name: value}})


@pytest.mark.django_db
def test_the_development_user_is_one_and_nobody_signs_in_as_it(development: Any) -> None:
    first, second = development_user(**LOCAL), development_user(**LOCAL)

    user = User.objects.get()
    assert first == second == user
    assert (user.email, user.is_staff, user.is_superuser) == ("dev@local", True, True)
    assert not user.has_usable_password()
    assert authenticate(username="dev@local", password="") is None


@pytest.mark.django_db
@pytest.mark.parametrize(("debug", "auth_disabled"), [(False, True), (True, False), (False, False)])
def test_nobody_is_signed_in_without_both_settings(settings: Any, debug: bool, auth_disabled: bool) -> None:
    settings.DEBUG, settings.AUTH_DISABLED = debug, auth_disabled

    assert development_user(**LOCAL) is None
    assert User.objects.count() == 0


@pytest.mark.django_db
def test_a_request_from_elsewhere_makes_no_user(development: Any) -> None:
    assert development_user(**{**LOCAL, "client": "192.168.1.7"}) is None
    assert User.objects.count() == 0
