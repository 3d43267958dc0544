"""Middleware out of one function: Django's two servers ask for it as a function and as a coroutine.

The function runs on the event loop of the asynchronous one, so it neither waits nor asks the database.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

# Django knows by itself which of the two forms a handler has.
Handler = Callable[[HttpRequest], Any]
Middleware = Callable[[Handler], Handler]


def before_view(look: Callable[[HttpRequest], HttpResponseBase | None]) -> Middleware:
    """Let `look` see every request before the view does; what it answers, if anything, is the answer."""

    @wraps(look)
    def middleware(get_response: Handler) -> Handler:
        async def handle_async(request: HttpRequest) -> HttpResponseBase:
            answer = look(request)
            return await get_response(request) if answer is None else answer

        def handle(request: HttpRequest) -> HttpResponseBase:
            answer = look(request)
            return get_response(request) if answer is None else answer

        return handle_async if iscoroutinefunction(get_response) else handle

    return sync_and_async_middleware(middleware)


def on_response(change: Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]) -> Middleware:
    """Let `change` give every response another form, or the same."""

    @wraps(change)
    def middleware(get_response: Handler) -> Handler:
        async def handle_async(request: HttpRequest) -> HttpResponseBase:
            return change(request, await get_response(request))

        def handle(request: HttpRequest) -> HttpResponseBase:
            return change(request, get_response(request))

        return handle_async if iscoroutinefunction(get_response) else handle

    return sync_and_async_middleware(middleware)
