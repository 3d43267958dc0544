"""What no view of the API can do for itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from apps.core.middleware import API_PREFIX
from loom.api import on_wrong_method

Handler = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


def _in_json(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    is_ours = request.path.startswith(API_PREFIX) and response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    return on_wrong_method(request, ", ".join(sorted(response["Allow"].split(", ")))) if is_ours else response


@sync_and_async_middleware
def json_refusal_middleware(get_response: Handler) -> Handler:
    """Answer in the API's one shape of errors where a path of it does not take a method."""
    if iscoroutinefunction(get_response):

        async def middleware_async(request: HttpRequest) -> HttpResponseBase:
            return _in_json(request, await get_response(request))

        return middleware_async

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return _in_json(request, get_response(request))  # type: ignore[arg-type]

    return middleware
