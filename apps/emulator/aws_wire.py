"""How AWS answers over HTTP: errors, request ids, and what the signature tells about the caller.

rest-json services name an error in the header `x-amzn-ErrorType` with `{"message": …}` as the body; the JSON 1.1
protocol of CloudWatch Logs and the JSON 1.0 protocol of CloudWatch name it in the member `__type`; the query protocol
of STS answers in XML.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

CREDENTIAL = re.compile(r"Credential=[^/\s]+/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")
DEFAULT_REGION = "us-east-1"


class AwsError(Exception):
    """An error as AWS answers it. `code` is the exception's name in the service model, `message` carries no payload."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} ({status})")
        self.status = status
        self.code = code
        self.message = message


def validation_error(message: str) -> AwsError:
    return AwsError(400, "ValidationException", message)


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
    return Response(json.dumps({"message": error.message}), error.status, headers, media_type="application/json")


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


def encode_page_token(position: object) -> str:
    """Make an opaque nextToken out of a JSON value."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode()


def decode_page_token(page_token: str) -> Any:
    """Undo encode_page_token; raises ValueError for anything that it did not make."""
    try:
        return json.loads(base64.urlsafe_b64decode(page_token.encode("ascii")))
    except (binascii.Error, UnicodeError, json.JSONDecodeError) as error:
        raise ValueError("not a page token") from error
