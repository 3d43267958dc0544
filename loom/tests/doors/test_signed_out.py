"""Loom is closed: whoever is not signed in gets nothing but what is listed here."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from loom.tests.walking import Address, addresses

pytestmark = pytest.mark.django_db

# What answers everybody, and how: to GET, to POST.
FOR_EVERYBODY = {
    "accounts:login": (200, 200),
    "accounts:logout": (405, 302),
    "admin:login": (200, 200),
    "admin:logout": (302, 302),
    "api-home": (302, 405),
    "api-root": (302, 405),
    "api:api-root": (302, 405),
    "api:openapi-json": (200, 200),
    "api:openapi-view": (200, 200),
    "healthz": (200, 405),
    "metrics": (401, 405),  # it asks for a token itself
    "takeout:shared": (404, 405),  # of an address that nobody was given
    "readyz": (200, 405),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


def test_the_walk_finds_pages_api_and_administration() -> None:
    found = [address.name for address in addresses()]

    assert {*FOR_EVERYBODY, "home", "agents:list", "api:list_agents", "admin:index"} <= set(found)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", sorted(FOR_EVERYBODY))
def test_what_is_for_everybody_answers_everybody(client: Client, name: str) -> None:
    (address,) = [address for address in addresses() if address.name == name]
    answers = client.get(address.at()), client.post(address.at(), content_type="application/json")

    assert tuple(answer.status_code for answer in answers) == FOR_EVERYBODY[name]


def ask(client: Client, address: Address) -> dict[str, tuple[int, str]]:
    """Status and where it leads, by method."""
    answers = {method: client.generic(method, address.at(), content_type="application/json") for method in METHODS}
    return {method: (answer.status_code, answer.get("Location", "")) for method, answer in answers.items()}


@pytest.mark.parametrize("is_admin", [False, True], ids=["pages", "administration"])
def test_every_other_address_asks_for_a_sign_in(client: Client, is_admin: bool) -> None:
    sign_in = reverse("admin:login" if is_admin else "accounts:login")
    for address in addresses():
        if address.name not in FOR_EVERYBODY and not address.is_api and address.is_admin is is_admin:
            led = (302, f"{sign_in}?next={address.at()}")
            assert (address.name, ask(client, address)) == (address.name, dict.fromkeys(METHODS, led))


def test_every_operation_of_the_api_refuses(client: Client) -> None:
    """Or knows no such method, which it says to everybody."""
    for address in addresses():
        if address.name not in FOR_EVERYBODY and address.is_api:
            statuses = {status for status, _ in ask(client, address).values()}
            assert (address.name, statuses) in [(address.name, {401, 405}), (address.name, {401})]


def test_a_fragment_asks_for_a_sign_in_too(client: Client) -> None:
    """htmx follows to the sign-in, as a browser does."""
    answer = client.get(reverse("metrics:operate-live-fragment"), headers={"HX-Request": "true"})

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/operate/live/")


def test_an_address_that_leads_nowhere_needs_no_sign_in(client: Client) -> None:
    assert client.get("/nowhere/").status_code == 404


def test_who_signed_out_elsewhere_can_sign_out_of_the_administration_once_more(client: Client) -> None:
    """Led to the sign-in with this address as the next one, she would end at a page that takes no GET."""
    assert client.post(reverse("admin:logout"))["Location"] == reverse("admin:index")
    assert client.post(reverse("accounts:logout"))["Location"] == reverse("accounts:login")
