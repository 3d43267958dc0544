from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import URLPattern, URLResolver, include, path
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User


@login_not_required
def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user))


@login_not_required
async def who_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{await request.auser()} {await request.auser()}")


@login_not_required
def nobody_asks(request: HttpRequest) -> HttpResponse:
    return HttpResponse("no matter who")


def closed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user))


urlpatterns: list[URLPattern | URLResolver] = [
    path("who/", who),
    path("who-async/", who_async),
    path("nobody-asks/", nobody_asks),
    path("closed/", closed),
    path("accounts/", include("apps.accounts.urls")),
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

LOCAL: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "127.0.0.1", "HTTP_HOST": "localhost:8000"}
NOT_LOCAL: list[dict[str, Any]] = [
    {"REMOTE_ADDR": "192.168.1.7"},
    {"SERVER_NAME": "192.168.1.2"},
    {"HTTP_HOST": "testserver"},
    {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
    {"HTTP_FORWARDED": "for=127.0.0.1"},
    {"HTTP_X_FORWARDED_HOST": "localhost"},
    {"HTTP_X_FORWARDED_PROTO": "http"},
    {"HTTP_X_REAL_IP": "127.0.0.1"},
    {"HTTP_VIA": "1.1 proxy"},
]


@pytest.fixture
def development(settings: Any) -> None:
    settings.DEBUG = True
    settings.AUTH_DISABLED = True


async def test_the_server_knows_who_signed_in_as_well(
    transactional_db: None, async_client: AsyncClient, alice: User
) -> None:
    """By another form of the same middleware."""
    await async_client.aforce_login(alice)
    answers = [await async_client.get(address) for address in ("/who/", "/who-async/", "/closed/")]

    assert {text for answer in answers for text in answer.content.decode().split()} == {"alice@example.com"}


async def test_the_server_leads_anybody_else_to_the_sign_in(transactional_db: None, async_client: AsyncClient) -> None:
    answer = await async_client.get("/closed/?a=b")

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/closed/%3Fa%3Db")


def asked(client: Client, address: str, **environ: Any) -> str:
    return client.get(address, **{**LOCAL, **environ}).content.decode()


def test_a_local_request_is_signed_in(client: Client, development: None) -> None:
    assert asked(client, "/who/") == "dev@local"


@pytest.mark.parametrize("environ", NOT_LOCAL)
def test_any_other_request_is_not(client: Client, development: None, environ: dict[str, Any]) -> None:
    assert asked(client, "/who/", **environ) == "AnonymousUser"
    assert User.objects.count() == 0


@pytest.mark.parametrize(("debug", "auth_disabled"), [(False, True), (True, False)])
def test_a_local_request_needs_both_settings(client: Client, settings: Any, debug: bool, auth_disabled: bool) -> None:
    settings.DEBUG, settings.AUTH_DISABLED = debug, auth_disabled

    assert asked(client, "/who/") == "AnonymousUser"


def test_who_signed_in_stays_who_she_is(client: Client, development: None, alice: User) -> None:
    client.force_login(alice)

    assert asked(client, "/who/") == "alice@example.com"


def test_a_request_that_does_not_ask_who_costs_no_query(
    client: Client, development: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert asked(client, "/nobody-asks/") == "no matter who"


def test_asking_twice_costs_one_query(
    client: Client, development: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert asked(client, "/who-async/") == "dev@local dev@local"
    with django_assert_num_queries(1):
        assert asked(client, "/who-async/") == "dev@local dev@local"
