"""The JSON API: one root, one way to sign in, one shape of errors."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI, Router, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from apps.accounts.access import may_manage, may_read
from apps.agentcore.accounts.api import router as accounts_router
from apps.agentcore.logs.api import router as logs_router
from apps.agents.selectors import agents_visible_to
from apps.awsverify.doctor.api import router as log_doctor_router
from apps.core.exceptions import InvalidInputError, LoomError, MissingError
from apps.core.requests.middleware import TooLargeError
from apps.core.requests.refusals import error_body
from apps.core.requests.unavailability import unavailability
from apps.metrics.alerts.api import router as alerts_router
from apps.metrics.api import router as metrics_router
from apps.metrics.benches.api import router as benches_router
from apps.metrics.environments.api import router as environments_router
from apps.metrics.environments.cold_api import router as cold_starts_router
from apps.metrics.environments.keep_warm_api import router as keep_warm_router
from apps.metrics.explaining.api import router as timelines_router
from apps.metrics.prompt_sets.api import router as prompt_sets_router
from apps.metrics.prompt_sets.plans_api import router as plans_router
from apps.metrics.prompt_sets.prompts_api import router as prompts_router
from apps.metrics.series.api import router as series_router
from apps.metrics.session_rows_api import router as session_rows_router
from apps.metrics.spending.api import router as budgets_router
from apps.overview.agents.api import router as agents_router
from apps.overview.api import router as runs_router
from apps.overview.bulk_api import router as bulk_router
from apps.overview.comparing.api import router as compare_router
from apps.overview.rating_api import router as ratings_router
from apps.overview.view_api import router as views_router
from apps.sessions.api import router as sessions_router
from apps.sessions.keeping_api import router as keeping_router
from apps.sessions.queue_api import router as queue_router
from apps.sessions.repeat_api import router as repeat_router
from apps.takeout.api import router as takeout_router
from loom_client.wording import close_names, in_sentences

logger = logging.getLogger(__name__)


class SignedOutError(LoomError):
    """Nobody is signed in, and no token was sent."""

    code = "signed_out"
    http_status = HTTPStatus.UNAUTHORIZED


class MethodError(LoomError):
    """The path exists, but not for this method."""

    code = "method_not_allowed"
    http_status = HTTPStatus.METHOD_NOT_ALLOWED


class DefectError(LoomError):
    """A mistake in Loom."""

    code = "internal"


DESCRIPTION = """
Agents on Amazon Bedrock AgentCore: register them, invoke them, read what their starts took.

## How to call it

Send `Authorization: Bearer …` with a token of `manage.py create_token`. Bodies are JSON. An error is
`{"error", "message", "details"}`; its `details.advice` says what to do. An `Idempotency-Key` of at most 64 characters
makes a request safe to send again.
"""


class ErrorOut(Schema):
    """The one shape of errors. `details` holds, where they apply, `advice`, `request_id`, `agentId`, `sessionId`,
    `retryable`, `retryAfter` (seconds) and `fields`.
    """

    error: str
    message: str
    details: dict[str, Any]


class ObjectParser(Parser):
    """Takes a body that is an object alone: of any other, ninja would read no field and say nothing."""

    def parse_body(self, request: HttpRequest) -> Any:
        body = super().parse_body(request)
        if not isinstance(body, dict):
            raise InvalidInputError("The body is JSON, but no object.", advice="Send it as {…}, encoded once.")
        return body


class ApiPage(Swagger):
    """The page that describes the API, by our template: ninja takes its own, from elsewhere, where it is no app."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        shown = {**self.settings, "url": self.get_openapi_url(api, kwargs)}
        return render(request, self.template, {"swagger_settings": json.dumps(shown, indent=1)})


class LoomAPI(NinjaAPI):
    """An API whose every operation says in the schema what an error looks like."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**options)
        schema["components"]["schemas"]["Error"] = ErrorOut.model_json_schema()
        refused = {
            "description": "Refused or failed.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["responses"]["default"] = refused
        return schema


# A route that says no scope of its own takes the strictest; a test wants each to say one.
api = LoomAPI(
    title="Loom",
    version="1",
    description=DESCRIPTION,
    auth=may_manage,
    parser=ObjectParser(),
    urls_namespace="api",
    # Its deep links stand inside of buttons, where a keyboard cannot use them. Schemas are shown when asked for.
    docs=ApiPage({"deepLinking": False, "defaultModelsExpandDepth": 0}),
)
api.add_router("/agents", agents_router)
api.add_router("", sessions_router)
api.add_router("", queue_router)
api.add_router("", repeat_router)
api.add_router("", keeping_router)
api.add_router("", logs_router)
api.add_router("", log_doctor_router)
api.add_router("", session_rows_router)
api.add_router("", metrics_router)
api.add_router("", timelines_router)
api.add_router("", series_router)
api.add_router("", prompt_sets_router)
api.add_router("", budgets_router)
api.add_router("", environments_router)
api.add_router("", cold_starts_router)
api.add_router("", keep_warm_router)
api.add_router("", accounts_router)
api.add_router("", prompts_router)
api.add_router("", plans_router)
api.add_router("", benches_router)
api.add_router("", alerts_router)
api.add_router("", takeout_router)
api.add_router("", runs_router)
api.add_router("", bulk_router)
api.add_router("", ratings_router)
api.add_router("", views_router)
api.add_router("", compare_router)

# The last one, so that a program that errs in the path gets its answer in JSON as well.
_elsewhere = Router(auth=may_read)
api.add_router("", _elsewhere)


@_elsewhere.api_operation(["DELETE", "GET", "PATCH", "POST", "PUT"], "/{path:rest}", include_in_schema=False)
def answer_unknown_path(request: HttpRequest, rest: str) -> None:
    kind, _, after = rest.partition("/")
    name = after.partition("/")[0]
    if kind == "agents" and name and not name.isdecimal():
        names = dict(agents_visible_to(request.user).order_by("-pk").values_list("name", "pk"))
        meant = [f"{close} is agent {names[close]}" for close in close_names(name, names)]
        raise MissingError(
            f"No agent {name[: MissingError.longest_key]}: agents are named by their id here.",
            advice=in_sentences(*meant, "GET /api/agents lists all of them"),
        )
    raise MissingError("The API has no such path.", advice="GET /api/openapi.json lists all of them.")


def _respond(request: HttpRequest, error: LoomError) -> HttpResponse:
    """The one shape of errors, with what it is about where the path says so."""
    body = error_body(error)
    named = request.resolver_match.kwargs if request.resolver_match else {}
    about = {key: named[name] for key, name in (("agentId", "agent_id"), ("sessionId", "session_id")) if name in named}
    response = api.create_response(request, {**body, "details": {**about, **body["details"]}}, status=error.http_status)
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


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
    """What ninja itself refuses: a body that is not JSON, or not as `ObjectParser` wants it."""
    if isinstance(error.__cause__, LoomError):
        return _respond(request, error.__cause__)
    body = error_body(InvalidInputError(error.message))
    return api.create_response(request, body, status=error.status_code)


@api.exception_handler(AuthenticationError)
def on_signed_out(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return _respond(request, SignedOutError("Sign in first.", advice="Programs send a token: manage.py create_token."))


@api.exception_handler(Exception)
def on_defect(request: HttpRequest, error: Exception) -> HttpResponse:
    """A mistake of ours. The log has all of it, the caller nothing that it might hold."""
    logger.error("api failed method=%s path=%s", request.method, request.path, exc_info=error)
    return _respond(request, unavailability(error) or DefectError("Loom failed; its log says how."))


@api.exception_handler(RequestDataTooBig)
def on_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return _respond(request, TooLargeError())


@api.exception_handler(SuspiciousOperation)
def on_suspicious(request: HttpRequest, error: SuspiciousOperation) -> HttpResponse:
    return _respond(request, InvalidInputError("The request is not valid."))


def on_wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    """What ninja would answer in plain text: see `loom.web.middleware`."""
    response = _respond(request, MethodError(f"This path does not take {request.method}.", advice=f"Use {allowed}."))
    response["Allow"] = allowed
    return response


@api.exception_handler(PermissionDenied)
def on_denied(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return api.create_response(
        request, {"error": "forbidden", "message": "You may not do this.", "details": {}}, status=403
    )
