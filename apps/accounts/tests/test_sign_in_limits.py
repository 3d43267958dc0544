"""Signing in, tried too often: per account and per address, on the page and in the administration."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.sign_in.limits import OF_ACCOUNT, OF_ADDRESS, client_address
from apps.core.models import LimitCount

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
DOORS = pytest.mark.parametrize("door", ["accounts:login", "admin:login"])


@pytest.fixture(autouse=True)
def in_rows(settings: Any) -> None:
    settings.REDIS_URL = None


@pytest.fixture
def dave(alice: User) -> User:
    alice.set_password(PASSWORD)
    alice.is_staff = alice.is_superuser = True
    alice.save()
    return alice


def try_once(door: str, password: str = "wrong", user: str = "alice@example.com", address: str = "192.0.2.1") -> Any:
    form = {"username": user, "password": password, "next": "/"}
    return Client().post(reverse(door), form, headers={"Accept": "text/html"}, REMOTE_ADDR=address)


@DOORS
def test_an_account_is_tried_so_often_and_no_more_wherever_from(door: str, dave: User) -> None:
    for number in range(OF_ACCOUNT.count):
        assert try_once(door, address=f"192.0.2.{number}").status_code == 200
    refused = try_once(door, address="198.51.100.1")

    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= OF_ACCOUNT.per.total_seconds()
    assert "<h1>Too many tries to sign in.</h1>" in refused.content.decode()
    # The right password is refused as well: else whoever guesses would learn it.
    assert try_once(door, PASSWORD).status_code == 429
    assert try_once(door, user=" ALICE@example.com ").status_code == 429
    LimitCount.objects.update(until_at=timezone.now())
    assert try_once(door, PASSWORD).status_code == 302


@DOORS
def test_an_address_tries_so_often_and_no_more_whichever_account(door: str) -> None:
    for number in range(OF_ADDRESS.count):
        assert try_once(door, user=f"nobody-{number}@example.com").status_code == 200

    assert try_once(door, user="another@example.com").status_code == 429
    assert try_once(door, user="another@example.com", address="198.51.100.1").status_code == 200


def test_both_doors_count_together(dave: User) -> None:
    for number in range(OF_ACCOUNT.count):
        try_once(("accounts:login", "admin:login")[number % 2])

    assert {try_once(door).status_code for door in ("accounts:login", "admin:login")} == {429}


@DOORS
def test_who_signs_in_well_is_never_refused(door: str, dave: User) -> None:
    for _ in range(OF_ADDRESS.count + 1):
        assert try_once(door, PASSWORD).status_code == 302


def test_an_account_that_is_not_there_is_limited_as_one_that_is(dave: User) -> None:
    found = {
        user: [try_once("accounts:login", user=user, address=address).status_code for _ in range(OF_ACCOUNT.count + 1)]
        for user, address in (("alice@example.com", "192.0.2.1"), ("nobody@example.com", "192.0.2.2"))
    }

    assert found["alice@example.com"] == found["nobody@example.com"]


def test_looking_at_the_page_is_no_try(client: Client) -> None:
    for _ in range(OF_ADDRESS.count + 1):
        assert client.get(reverse("accounts:login")).status_code == 200


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("192.0.2.7:51234", "192.0.2.7"),  # some proxies tell the port too, another one each time
        ("[2001:db8:1:2::1]:51234", "2001:db8:1:2::/64"),
        ("", ""),
        ("unknown", "unknown"),
        ("::ffff:192.0.2.7", "192.0.2.7"),  # how a proxy that listens on both writes it: not one network of all
        ("", ""),
    ],
)
def test_an_address_counts_as_the_network_that_one_machine_has(address: str, counted: str) -> None:
    assert client_address(RequestFactory().post("/", REMOTE_ADDR=address)) == counted
