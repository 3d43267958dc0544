"""What somebody sees at an address that leads nowhere, in development too."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.defaults import page_not_found

from apps.core.requests.middleware_modes import on_response


@on_response
def own_not_found_middleware(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Show the page that everybody gets where Django, with DEBUG, would list the addresses it tried.

    Whoever tries Loom out runs it with DEBUG, and types an address as wrong as anybody.
    """
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    if settings.DEBUG and response.status_code == 404 and is_page:
        return page_not_found(request, Http404())
    return response
