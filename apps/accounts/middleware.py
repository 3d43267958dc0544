"""Sets `request.user` to the development user where that is allowed, and the same for sockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from channels.db import database_sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.functional import SimpleLazyObject

from apps.accounts.development import development_user
from apps.accounts.models import User

Handler = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


def _resolve(request: HttpRequest, signed_in: User | AnonymousUser) -> User | AnonymousUser:
    if signed_in.is_authenticated:
        return signed_in
    headers = {name.lower(): value for name, value in request.headers.items()}
    user = development_user(
        client=request.META.get("REMOTE_ADDR"), server=request.META.get("SERVER_NAME"), headers=headers
    )
    return user or signed_in


def _install(request: HttpRequest) -> None:
    # Lazy: a request that never asks who is asking costs no query.
    resolve = cache(partial(_resolve, request, request.user))
    request.user = SimpleLazyObject(resolve)  # type: ignore[assignment]

    async def auser() -> User | AnonymousUser:
        return await sync_to_async(resolve)()

    request.auser = auser


@sync_and_async_middleware
def development_sign_in_middleware(get_response: Handler) -> Handler:
    """Sign a request of this machine in as dev@local when AUTH_DISABLED is set."""
    if iscoroutinefunction(get_response):

        async def middleware_async(request: HttpRequest) -> HttpResponseBase:
            _install(request)
            return await get_response(request)  # type: ignore[no-any-return]

        return middleware_async

    def middleware(request: HttpRequest) -> HttpResponseBase:
        _install(request)
        return get_response(request)  # type: ignore[return-value]

    return middleware


class SocketSignIn:
    """ASGI middleware inside channels' AuthMiddlewareStack: the same rule for a socket's `scope["user"]`."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if not scope["user"].is_authenticated:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            client, server = scope.get("client"), scope.get("server")
            user = await database_sync_to_async(development_user)(
                client=client[0] if client else None, server=server[0] if server else None, headers=headers
            )
            scope = {**scope, "user": user or scope["user"]}
        await self.inner(scope, receive, send)
