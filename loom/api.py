"""The JSON API: one root, one way to sign in, one shape of errors."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Router
from ninja.errors import AuthenticationError, HttpError, ValidationError

from apps.accounts.models import User
from apps.agents.api import router as agents_router
from apps.core.exceptions import InvalidInputError, LoomError, MissingError
from apps.core.middleware import error_body
from apps.metrics.api import router as metrics_router
from apps.sessions.api import router as sessions_router


def signed_in(request: HttpRequest) -> User | None:
    """The signed-in user. Foreign pages are refused by the middleware, so a cookie needs no token beside it here."""
    user: User | AnonymousUser = request.user
    return user if user.is_authenticated else None


async def signed_in_async(request: HttpRequest) -> User | None:
    return await sync_to_async(signed_in)(request)


api = NinjaAPI(
    title="Loom", version="1", description="Agents on Amazon Bedrock AgentCore.", auth=signed_in, urls_namespace="api"
)
api.add_router("/agents", agents_router)
api.add_router("", sessions_router, auth=signed_in_async)
api.add_router("", metrics_router)

# The last one, so that a program that errs in the path gets its answer in JSON as well.
_elsewhere = Router()
api.add_router("", _elsewhere)


@_elsewhere.api_operation(["DELETE", "GET", "PATCH", "POST", "PUT"], "/{path:rest}", include_in_schema=False)
def answer_unknown_path(request: HttpRequest, rest: str) -> None:
    raise MissingError("The API has no such path.", advice="GET /api/openapi.json lists all of them.")


def _respond(request: HttpRequest, error: LoomError) -> HttpResponse:
    return api.create_response(request, error_body(error), status=error.http_status)


@api.exception_handler(LoomError)
def on_loom_error(request: HttpRequest, error: LoomError) -> HttpResponse:
    return _respond(request, error)


@api.exception_handler(Http404)
def on_missing(request: HttpRequest, error: Http404) -> HttpResponse:
    return _respond(request, MissingError("There is no such thing."))


def _field(location: tuple[str | int, ...]) -> str:
    """Name a field as the caller knows it: ("body", "body", "arn") is arn, the second being our parameter's name."""
    parts = location[2:] if location[0] == "body" else location[1:]
    return ".".join(str(part) for part in parts) or "body"


@api.exception_handler(ValidationError)
def on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    problems: list[dict[str, Any]] = [{"field": _field(item["loc"]), "problem": item["msg"]} for item in error.errors]
    body = error_body(InvalidInputError("; ".join(f"{item['field']}: {item['problem']}" for item in problems)))
    return api.create_response(request, {**body, "details": {"fields": problems}}, status=400)


@api.exception_handler(HttpError)
def on_unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """What ninja itself refuses: a body that is not JSON."""
    body = error_body(InvalidInputError(error.message))
    return api.create_response(request, body, status=error.status_code)


@api.exception_handler(AuthenticationError)
def on_signed_out(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    body = {"error": "signed_out", "message": "Sign in first.", "details": {}}
    return api.create_response(request, body, status=401)


@api.exception_handler(PermissionDenied)
def on_denied(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return api.create_response(
        request, {"error": "forbidden", "message": "You may not do this.", "details": {}}, status=403
    )
