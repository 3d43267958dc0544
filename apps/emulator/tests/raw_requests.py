"""Requests as they go over the wire, for what no SDK would send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx
from botocore.loaders import Loader

from apps.emulator.tests.running_emulator import RunningEmulator

SERVICES = {
    "logs": ("Logs_20140328.", "application/x-amz-json-1.1", "logs"),
    "cloudwatch": ("GraniteServiceVersion20100801.", "application/x-amz-json-1.0", "monitoring"),
}


@dataclass(frozen=True)
class Refusal:
    """An error as a client finds it: status, code, and what else its body says."""

    status: int
    code: str
    message: str
    reason: str | None = None


@cache
def model_of(service: str) -> dict[str, Any]:
    """The service model, as botocore itself reads it."""
    model: dict[str, Any] = Loader().load_service_model(service, "service-2")
    return model


def input_of(service: str, operation: str) -> dict[str, Any]:
    """The shape of an operation's input."""
    model = model_of(service)
    shape: dict[str, Any] = model["shapes"][model["operations"][operation]["input"]["shape"]]
    return shape


def signed(service: str) -> dict[str, str]:
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=x/20261120/us-east-1/{service}/aws4_request"}


def call_json(emulator: RunningEmulator, service: str, operation: str, body: object) -> httpx.Response:
    """Send bytes as they are, everything else as JSON, to a service that names its operations in a header."""
    prefix, content_type, signing_name = SERVICES[service]
    headers = {"X-Amz-Target": prefix + operation, "Content-Type": content_type, **signed(signing_name)}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return emulator.http.post("/", content=content, headers=headers)


def call_rest(emulator: RunningEmulator, operation: str, members: dict[str, Any]) -> httpx.Response:
    """Send an operation of AgentCore's control plane, each member where the model says that it stands."""
    http = model_of("bedrock-agentcore-control")["operations"][operation]["http"]
    path, query, body = http["requestUri"], {}, dict(members)
    for name, member in input_of("bedrock-agentcore-control", operation)["members"].items():
        if name in body and member.get("location") == "uri":
            path = path.replace(f"{{{name}}}", quote(str(body.pop(name)), safe=""))
        elif name in body and member.get("location") == "querystring":
            query[member["locationName"]] = str(body.pop(name))
    return emulator.http.request(
        http["method"],
        path,
        params=query,
        content=json.dumps(body).encode() if body else b"",
        headers=signed("bedrock-agentcore"),
    )


def refusal_of(answer: httpx.Response) -> Refusal:
    """Read an error in the form of the protocol in which it came."""
    body = answer.json()
    code = body.get("__type") or answer.headers["x-amzn-errortype"]
    return Refusal(answer.status_code, code, body["message"], body.get("reason"))
