"""What somebody sees at an address that leads nowhere, in development too."""

from __future__ import annotations

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.views.defaults import page_not_found

from apps.core.middleware import Handler


def _own(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    if settings.DEBUG and response.status_code == 404 and is_page:
        return page_not_found(request, Http404())
    return response


@sync_and_async_middleware
def own_not_found_middleware(get_response: Handler) -> Handler:
    """Show the page that everybody gets where Django, with DEBUG, would list the addresses it tried.

    Whoever tries Loom out runs it with DEBUG, and types an address as wrong as anybody.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _own(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _own(request, get_response(request))  # type: ignore[arg-type]

    return answer
