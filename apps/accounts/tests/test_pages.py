from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


def sign_in(client: Client, **fields: str) -> tuple[int, str, str]:
    """Post the form; return status, where it leads, and the page."""
    form = {"username": "alice@example.com", "password": PASSWORD, **fields}
    response = client.post(reverse("accounts:login"), form)
    return response.status_code, response.get("Location", ""), response.content.decode()


def test_alice_signs_in_with_any_case_and_comes_to_the_agents(client: Client, alice: User) -> None:
    assert sign_in(client, username=" Alice@EXAMPLE.com ") == (302, reverse("agents:list"), "")
    assert client.get(reverse("agents:list")).context["user"] == alice


def test_a_wrong_password_keeps_the_address_and_says_what_to_do(client: Client, alice: User) -> None:
    status, _, page = sign_in(client, username="Alice@Example.com", password="wrong secret")

    assert status == 200
    assert 'value="Alice@Example.com"' in page
    assert "The e-mail address or the password is wrong. Check both and try again." in page
    assert "wrong secret" not in page
    assert "<title>Error: Sign in · Loom</title>" in page
    assert page.count('aria-invalid="true" aria-describedby="refusal"') == 2 and page.count('id="refusal"') == 1
    assert re.findall(r"<input[^>]* autofocus", page)[0].startswith('<input type="text" name="username"')
    assert client.get(reverse("agents:list")).status_code == 302


def test_an_unknown_address_and_a_wrong_password_look_the_same(client: Client, alice: User) -> None:
    def visible(page: str) -> str:
        return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)

    _, _, wrong = sign_in(client, password="wrong")
    _, _, unknown = sign_in(client, username="nobody@example.com", password="wrong")

    assert visible(wrong).replace("alice@", "nobody@") == visible(unknown)


def test_empty_fields_are_named(client: Client) -> None:
    status, _, page = sign_in(client, username="", password="")

    assert status == 200
    assert ("Type your e-mail address." in page, "Type your password." in page) == (True, True)


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/operate/", "/operate/"),
        ("/agents/?q=a+b", "/agents/?q=a+b"),
        ("http://testserver/operate/", "http://testserver/operate/"),
        ("https://evil.example/", "/agents/"),
        ("//evil.example/", "/agents/"),
        ("/\\evil.example/", "/agents/"),
        ("javascript:alert(1)", "/agents/"),
        ("", "/agents/"),
    ],
)
def test_next_is_followed_within_our_own_host_only(client: Client, alice: User, target: str, leads_to: str) -> None:
    assert sign_in(client, next=target)[:2] == (302, leads_to)


def test_next_is_kept_while_the_password_is_wrong(client: Client, alice: User) -> None:
    asked = client.get("/operate/?a=b")
    assert (asked.status_code, asked["Location"]) == (302, "/accounts/login/?next=/operate/%3Fa%3Db")

    page = client.get(asked["Location"]).content.decode()
    _, _, again = sign_in(client, next="/operate/?a=b", password="wrong")

    hidden = '<input type="hidden" name="next" value="/operate/?a=b">'
    assert (hidden in page, hidden in again) == (True, True)


def test_signing_in_needs_our_own_form(alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    form = {"username": "alice@example.com", "password": PASSWORD}

    assert strict.post(reverse("accounts:login"), form).status_code == 403
    page = strict.get(reverse("accounts:login"))
    form["csrfmiddlewaretoken"] = page.context["csrf_token"]
    headers = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    assert strict.post(reverse("accounts:login"), form, headers=headers).status_code == 302


def test_signing_out_ends_the_web_session_and_takes_a_click(client: Client, alice: User) -> None:
    client.force_login(alice)

    assert client.get(reverse("accounts:logout")).status_code == 405
    assert client.get(reverse("agents:list")).status_code == 200
    response = client.post(reverse("accounts:logout"))

    assert (response.status_code, response["Location"]) == (302, reverse("accounts:login"))
    assert client.get(reverse("agents:list")).status_code == 302


def test_the_cookie_of_the_web_session_is_out_of_reach_of_scripts_and_of_other_sites(
    client: Client, alice: User
) -> None:
    sign_in(client)

    cookie = client.cookies["sessionid"]
    assert (bool(cookie["httponly"]), cookie["samesite"]) == (True, "Lax")
