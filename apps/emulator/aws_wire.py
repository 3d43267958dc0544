"""How AWS answers over HTTP: errors, request ids, and what the signature tells about the caller.

rest-json services name an error in the header `x-amzn-ErrorType` with `{"message": …}` as the body; the JSON 1.1
protocol of CloudWatch Logs and the JSON 1.0 protocol of CloudWatch name it in the member `__type`; the query protocol
of STS answers in XML.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

CREDENTIAL = re.compile(r"Credential=[^/\s]+/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")
DEFAULT_REGION = "us-east-1"
STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class AwsError(Exception):
    """An error as AWS answers it. `code` is the exception's name in the service model, `members` are more of its own.

    `message` carries no payload, but the value that failed a constraint, as AWS's does.
    """

    def __init__(self, status: int, code: str, message: str, members: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code} ({status})")
        self.status = status
        self.code = code
        self.message = message
        self.members = members or {}


def validation_error(message: str, reason: str = "FieldValidationFailed") -> AwsError:
    """AgentCore's; its model requires the reason."""
    return AwsError(400, "ValidationException", message, {"reason": reason})


def not_found_error(message: str) -> AwsError:
    return AwsError(404, "ResourceNotFoundException", message)


def conflict_error(message: str) -> AwsError:
    return AwsError(409, "ConflictException", message)


def retryable_conflict_error() -> AwsError:
    """The session is being provisioned or torn down."""
    return AwsError(409, "RetryableConflictException", "Session operation in progress, please retry")


def runtime_client_error(message: str) -> AwsError:
    """The agent's own container answered with an error or did not start."""
    return AwsError(424, "RuntimeClientError", message)


def runtime_answered_error(status: int) -> AwsError:
    return runtime_client_error(
        f"Received error ({status}) from runtime. Please check your CloudWatch logs for more information"
    )


def runtime_start_error() -> AwsError:
    return runtime_client_error(
        "An error occurred when starting the runtime. Please check your CloudWatch logs for more information."
    )


def throttling_error(status: int = 429) -> AwsError:
    """429 on AgentCore, 400 on CloudWatch Logs."""
    return AwsError(status, "ThrottlingException", "Rate exceeded")


def new_request_id() -> str:
    return str(uuid.uuid4())


def require_signature(request: Request) -> None:
    """Refuse a request without credentials. The signature itself is not verified: keys are dummies here."""
    if not request.headers.get("authorization") and "x-amz-signature" not in request.query_params:
        raise AwsError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")


def signed_region_of(request: Request) -> str | None:
    """Return the region that the caller signed for, None when a bearer token says nothing about it."""
    match = CREDENTIAL.search(request.headers.get("authorization", ""))
    return match["region"] if match else None


def region_of(request: Request) -> str:
    """Return the region that the caller signed for, us-east-1 when that is not known."""
    return signed_region_of(request) or DEFAULT_REGION


def rest_json(body: Mapping[str, Any], status: int = 200) -> Response:
    """Answer of a rest-json operation (AgentCore)."""
    return Response(json.dumps(body), status, {"x-amzn-RequestId": new_request_id()}, media_type="application/json")


def rest_json_error(error: AwsError) -> Response:
    headers = {"x-amzn-RequestId": new_request_id(), "x-amzn-ErrorType": error.code}
    body = json.dumps({"message": error.message, **error.members})
    return Response(body, error.status, headers, media_type="application/json")


def json_1_1(body: Mapping[str, Any] | None, status: int = 200) -> Response:
    """Answer of an AWS JSON 1.1 operation (CloudWatch Logs); one without an output has an empty body."""
    text = "" if body is None else json.dumps(body)
    return Response(text, status, {"x-amzn-RequestId": new_request_id()}, media_type="application/x-amz-json-1.1")


def json_1_0(body: Mapping[str, Any], status: int = 200) -> Response:
    """Answer of an AWS JSON 1.0 operation (CloudWatch)."""
    headers = {"x-amzn-RequestId": new_request_id()}
    return Response(json.dumps(body), status, headers, media_type="application/x-amz-json-1.0")


def json_error(error: AwsError, content_type: str) -> Response:
    """The error in the JSON protocol in which the request came."""
    answer = json_1_0 if content_type.startswith("application/x-amz-json-1.0") else json_1_1
    return answer({"__type": error.code, "message": error.message}, error.status)


def query_error(error: AwsError) -> Response:
    """The error of the query protocol (STS)."""
    request_id = new_request_id()
    body = (
        f'<ErrorResponse xmlns="{STS_NAMESPACE}"><Error><Type>{"Receiver" if error.status >= 500 else "Sender"}</Type>'
        f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(body, error.status, {"x-amzn-RequestId": request_id}, media_type="text/xml")


def is_query(request: Request) -> bool:
    """Tell whether a request came over the query protocol, as a form."""
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def error_in_protocol_of(request: Request, error: AwsError) -> Response:
    """Answer an error in the form of the protocol that the request speaks."""
    if request.headers.get("x-amz-target"):
        return json_error(error, request.headers.get("content-type", ""))
    if request.url.path == "/" and is_query(request):
        return query_error(error)
    return rest_json_error(error)


class EncodedRoute(Route):
    """A route over the path as it was sent: an ARN in place of an id holds a slash, encoded, and is one part of it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        return super().matches({**scope, "path": scope["raw_path"].decode("latin-1")})
