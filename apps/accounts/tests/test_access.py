"""Tokens at the doors: HTTP and sockets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.urls import path
from ninja import NinjaAPI

from apps.accounts.access import may_invoke, may_invoke_async, may_read
from apps.accounts.middleware import SocketSignIn
from apps.accounts.models import Token, User
from apps.accounts.services import create_token
from apps.accounts.tokens import Scope
from apps.core.exceptions import LoomError

door = NinjaAPI(urls_namespace="door")


@door.exception_handler(LoomError)
def on_error(request: HttpRequest, error: LoomError) -> Any:
    return door.create_response(request, error.code, status=error.http_status)


@door.api_operation(["GET", "POST"], "/read", auth=may_read)
def read(request: HttpRequest) -> str:
    return str(request.user)


@door.get("/invoke", auth=may_invoke)
def invoke(request: HttpRequest) -> str:
    return str(request.user)


@door.get("/invoke-async", auth=may_invoke_async)
async def invoke_async(request: HttpRequest) -> str:
    return str(await request.auser())


@login_not_required
def page(request: HttpRequest) -> Any:
    return door.create_response(request, str(request.user), status=200)


door_urls: Any = door.urls
for pattern in door_urls[0]:
    login_not_required(pattern.callback)
urlpatterns = [path("api/", door_urls), path("page/", page)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

LOCAL: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "127.0.0.1", "HTTP_HOST": "localhost:8000"}


def header(user: User, scope: Scope = "invoke") -> str:
    return f"Bearer {create_token(user=user, scope=scope, life=timedelta(days=1))[1]}"


def ask(client: Client, address: str, **environ: Any) -> tuple[int, Any]:
    response = client.get(address, **environ)
    return response.status_code, response.json()


def test_a_token_is_its_user_as_far_as_its_scope_goes(client: Client, alice: User) -> None:
    reader, invoker = header(alice, "read"), header(alice, "manage")

    assert ask(client, "/api/read", HTTP_AUTHORIZATION=reader) == (200, "alice@example.com")
    assert ask(client, "/api/invoke", HTTP_AUTHORIZATION=invoker) == (200, "alice@example.com")
    assert ask(client, "/api/invoke", HTTP_AUTHORIZATION=reader) == (403, "scope_missing")


@pytest.mark.django_db(transaction=True)
async def test_an_asynchronous_route_asks_the_same(alice: User) -> None:
    client = AsyncClient()
    sync_header = await sync_to_async(header)(alice, "read")
    refused = await client.get("/api/invoke-async", headers={"Authorization": sync_header})
    assert (refused.status_code, refused.json()) == (403, "scope_missing")

    taken = await client.get("/api/invoke-async", headers={"Authorization": await sync_to_async(header)(alice)})
    assert (taken.status_code, taken.json()) == (200, "alice@example.com")


def test_a_bad_token_is_nobody_whoever_else_is_there(client: Client, alice: User, settings: Any) -> None:
    """Neither the cookie nor the development sign-in steps in for it."""
    settings.DEBUG = settings.AUTH_DISABLED = True
    client.force_login(alice)

    assert ask(client, "/api/read", **LOCAL) == (200, "alice@example.com")
    assert ask(client, "/api/read", HTTP_AUTHORIZATION="Bearer loom_x", **LOCAL) == (401, "token_refused")
    assert ask(Client(), "/api/read", HTTP_AUTHORIZATION="Bearer", **LOCAL) == (401, "token_refused")
    assert ask(Client(), "/api/read", HTTP_AUTHORIZATION="Basic eDp5", **LOCAL) == (200, "dev@local")


def test_a_token_wins_over_the_cookie(client: Client, alice: User, bob: User) -> None:
    client.force_login(bob)

    assert ask(client, "/api/read", HTTP_AUTHORIZATION=header(alice)) == (200, "alice@example.com")


def test_a_token_opens_no_page(client: Client, alice: User) -> None:
    """A page asks for no scope, so a token that may only read could change something there."""
    assert ask(client, "/page/", HTTP_AUTHORIZATION=header(alice, "manage")) == (200, "AnonymousUser")


def test_a_request_with_a_token_and_no_cookie_may_come_from_anywhere(client: Client, alice: User) -> None:
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    with_token = {**foreign, "Authorization": header(alice)}

    def posted(address: str, headers: dict[str, str]) -> int:
        return client.post(address, {}, content_type="application/json", headers=headers).status_code

    assert (posted("/api/read", with_token), posted("/api/read", foreign)) == (200, 403)
    client.force_login(alice)
    assert (posted("/api/read", with_token), posted("/page/", with_token)) == (403, 403)


def test_a_token_of_nobody_costs_one_query(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert ask(client, "/api/read", HTTP_AUTHORIZATION="Bearer loom_x") == (401, "token_refused")


@pytest.mark.django_db(transaction=True)
def test_a_socket_takes_a_token_that_may_invoke(alice: User, settings: Any) -> None:
    settings.DEBUG = settings.AUTH_DISABLED = True
    seen: list[str] = []

    async def consumer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(str(scope["user"]))

    for authorization in (header(alice), header(alice, "read"), "Bearer loom_x"):
        scope = {
            "type": "websocket", "user": AnonymousUser(), "client": ["127.0.0.1", 5], "server": ["127.0.0.1", 8000],
            "headers": [(b"Host", b"localhost:8000"), (b"Authorization", authorization.encode())],
        }  # fmt: skip
        async_to_sync(SocketSignIn(consumer))(scope, None, None)

    assert seen == ["alice@example.com", "AnonymousUser", "AnonymousUser"]
    assert Token.objects.count() == 2
