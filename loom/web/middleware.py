"""What no view of the API can do for itself."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponseBase

from apps.core.requests.middleware_modes import on_response
from apps.core.requests.refusals import API_PREFIX
from loom.api import on_wrong_method


@on_response
def json_refusal_middleware(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Answer in the API's one shape of errors where a path of it does not take a method."""
    is_ours = request.path.startswith(API_PREFIX) and response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    return on_wrong_method(request, ", ".join(sorted(response["Allow"].split(", ")))) if is_ours else response
