"""The control plane: CRUD of agent runtimes, versions and endpoints over rest-json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.emulator.account import EmulatedAccount
from apps.emulator.aws_wire import (
    decode_page_token,
    encode_page_token,
    region_of,
    require_signature,
    rest_json,
    validation_error,
)
from apps.emulator.clock import iso_instant
from apps.emulator.fleet.demo import created_agent
from apps.emulator.quotas import CONTROL_GET_PER_S, CONTROL_LIST_PER_S, CONTROL_MUTATION_PER_S
from apps.emulator.registry import Endpoint, Runtime, RuntimeVersion, Status, runtime_summary

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,47}")
ROLE_ARN = re.compile(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+")
SETTINGS = (
    "agentRuntimeArtifact",
    "roleArn",
    "networkConfiguration",
    "description",
    "authorizerConfiguration",
    "requestHeaderConfiguration",
    "protocolConfiguration",
    "lifecycleConfiguration",
    "metadataConfiguration",
    "environmentVariables",
    "filesystemConfigurations",
    "platformVersion",
)
LIFECYCLE_RANGE_S = (60, 1_209_600)
Item = TypeVar("Item")


class ControlPlane:
    """One method per operation; the table of routes stands at the end."""

    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account
        self._registry = account.registry

    async def list_runtimes(self, request: Request) -> Response:
        region = self._enter(request, "ListAgentRuntimes", CONTROL_LIST_PER_S)
        page, more = paged(self._registry.all_runtimes(region), request)
        return rest_json({"agentRuntimes": [runtime_summary(runtime, runtime.latest) for runtime in page], **more})

    async def create_runtime(self, request: Request) -> Response:
        region = self._enter(request, "CreateAgentRuntime", CONTROL_MUTATION_PER_S)
        body = await read_body(request)
        name = body.get("agentRuntimeName")
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise validation_error(
                "Value at 'agentRuntimeName' failed to satisfy constraint: [a-zA-Z][a-zA-Z0-9_]{0,47}"
            )
        settings = read_settings(body)
        # Runtimes created since mid-2026 have it; CreateAgentRuntime has no member to say otherwise.
        settings.setdefault("metadataConfiguration", {"requireMMDSV2": True})
        runtime = self._registry.create(
            region=region,
            name=name,
            settings=settings,
            traits=created_agent(name),
            failure=self._account.faults.take_deploy_failure(None),
        )
        answer = {**changed(runtime, runtime.latest), "createdAt": iso_instant(runtime.created_at)}
        return rest_json(answer, 202)

    async def get_runtime(self, request: Request) -> Response:
        runtime = self._runtime(request, "GetAgentRuntime", CONTROL_GET_PER_S)
        version = self._registry.version(runtime, request.query_params.get("version"))
        return rest_json(described(runtime, version))

    async def update_runtime(self, request: Request) -> Response:
        runtime = self._runtime(request, "UpdateAgentRuntime", CONTROL_MUTATION_PER_S)
        settings = read_settings(await read_body(request))
        failure = self._account.faults.take_deploy_failure(runtime.runtime_id)
        version = self._registry.update(runtime, settings, failure)
        answer = {
            **changed(runtime, version),
            "createdAt": iso_instant(runtime.created_at),
            "lastUpdatedAt": iso_instant(runtime.updated_at),
        }
        return rest_json(answer, 202)

    async def delete_runtime(self, request: Request) -> Response:
        runtime = self._runtime(request, "DeleteAgentRuntime", CONTROL_MUTATION_PER_S)
        number = request.query_params.get("version")
        self._registry.delete(runtime, number)
        answer = {"status": Status.DELETING, "agentRuntimeId": runtime.runtime_id}
        return rest_json(answer | ({"agentRuntimeVersion": number} if number else {}), 202)

    async def list_versions(self, request: Request) -> Response:
        runtime = self._runtime(request, "ListAgentRuntimeVersions", CONTROL_LIST_PER_S)
        versions = [runtime.versions[number] for number in sorted(runtime.versions, reverse=True)]
        page, more = paged(versions, request)
        items = [runtime_summary(runtime, version, is_newest=version is runtime.latest) for version in page]
        return rest_json({"agentRuntimes": items, **more})

    async def list_endpoints(self, request: Request) -> Response:
        runtime = self._runtime(request, "ListAgentRuntimeEndpoints", CONTROL_LIST_PER_S)
        page, more = paged(list(runtime.endpoints.values()), request)
        return rest_json({"runtimeEndpoints": [endpoint_item(runtime, endpoint) for endpoint in page], **more})

    async def create_endpoint(self, request: Request) -> Response:
        runtime = self._runtime(request, "CreateAgentRuntimeEndpoint", CONTROL_MUTATION_PER_S)
        body = await read_body(request)
        name = body.get("name")
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise validation_error("Value at 'name' failed to satisfy constraint: [a-zA-Z][a-zA-Z0-9_]{0,47}")
        endpoint = self._registry.create_endpoint(
            runtime, name, body.get("agentRuntimeVersion"), body.get("description")
        )
        answer = {
            "targetVersion": str(endpoint.target_version),
            "agentRuntimeEndpointArn": runtime.endpoint_arn(name),
            "agentRuntimeArn": runtime.arn,
            "agentRuntimeId": runtime.runtime_id,
            "endpointName": name,
            "status": endpoint.status,
            "createdAt": iso_instant(endpoint.created_at),
        }
        return rest_json(answer, 202)

    async def get_endpoint(self, request: Request) -> Response:
        runtime = self._runtime(request, "GetAgentRuntimeEndpoint", CONTROL_GET_PER_S)
        endpoint = self._registry.endpoint(runtime, request.path_params["endpoint_name"])
        return rest_json(endpoint_item(runtime, endpoint))

    async def update_endpoint(self, request: Request) -> Response:
        runtime = self._runtime(request, "UpdateAgentRuntimeEndpoint", CONTROL_MUTATION_PER_S)
        body = await read_body(request)
        endpoint = self._registry.endpoint(runtime, request.path_params["endpoint_name"])
        self._registry.update_endpoint(runtime, endpoint, body.get("agentRuntimeVersion"), body.get("description"))
        answer = endpoint_item(runtime, endpoint)
        for absent in ("name", "id", "description"):
            answer.pop(absent, None)
        return rest_json(answer, 202)

    async def delete_endpoint(self, request: Request) -> Response:
        runtime = self._runtime(request, "DeleteAgentRuntimeEndpoint", CONTROL_MUTATION_PER_S)
        endpoint = self._registry.endpoint(runtime, request.path_params["endpoint_name"])
        self._registry.delete_endpoint(endpoint)
        answer = {"status": endpoint.status, "agentRuntimeId": runtime.runtime_id, "endpointName": endpoint.name}
        return rest_json(answer, 202)

    def routes(self) -> list[Route]:
        """AgentCore's control plane ends every path with a slash, its data plane none."""
        one, endpoints = "/runtimes/{runtime_id}/", "/runtimes/{runtime_id}/runtime-endpoints/"
        return [
            Route("/runtimes/", self.list_runtimes, methods=["POST"]),
            Route("/runtimes/", self.create_runtime, methods=["PUT"]),
            Route(f"{one}versions/", self.list_versions, methods=["POST"]),
            Route(endpoints, self.list_endpoints, methods=["POST"]),
            Route(endpoints, self.create_endpoint, methods=["PUT"]),
            Route(f"{endpoints}{{endpoint_name}}/", self.get_endpoint, methods=["GET"]),
            Route(f"{endpoints}{{endpoint_name}}/", self.update_endpoint, methods=["PUT"]),
            Route(f"{endpoints}{{endpoint_name}}/", self.delete_endpoint, methods=["DELETE"]),
            Route(one, self.get_runtime, methods=["GET"]),
            Route(one, self.update_runtime, methods=["PUT"]),
            Route(one, self.delete_runtime, methods=["DELETE"]),
        ]

    def _enter(self, request: Request, operation: str, rate: float) -> str:
        require_signature(request)
        region = region_of(request)
        self._account.quotas.spend(region, f"control {rate}", rate)
        self._account.faults.raise_for(operation, request.path_params.get("runtime_id"))
        return region

    def _runtime(self, request: Request, operation: str, rate: float) -> Runtime:
        region = self._enter(request, operation, rate)
        return self._registry.get(region, request.path_params["runtime_id"])


async def read_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise validation_error("The request body is not JSON") from error
    if not isinstance(body, dict):
        raise validation_error("The request body is not a JSON object")
    return body


def read_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Take the members of a version out of a request; raises the AwsError ValidationException."""
    artifact, role = body.get("agentRuntimeArtifact"), body.get("roleArn")
    if not isinstance(artifact, dict) or len(artifact) != 1:
        raise validation_error("Value at 'agentRuntimeArtifact' must have exactly one member set")
    if not isinstance(role, str) or ROLE_ARN.fullmatch(role) is None:
        raise validation_error("Value at 'roleArn' failed to satisfy constraint: must be the ARN of an IAM role")
    for member, seconds in body.get("lifecycleConfiguration", {}).items():
        if not LIFECYCLE_RANGE_S[0] <= seconds <= LIFECYCLE_RANGE_S[1]:
            raise validation_error(f"Value at 'lifecycleConfiguration.{member}' must be between 60 and 1209600")
    if len(body.get("environmentVariables", {})) > 50:
        raise validation_error("Value at 'environmentVariables' must have at most 50 entries")
    return {member: body[member] for member in SETTINGS if member in body}


def paged(items: Sequence[Item], request: Request) -> tuple[Sequence[Item], dict[str, str]]:
    """Cut the page that maxResults and nextToken ask for; the second value holds the nextToken, if there is one."""
    size_text = request.query_params.get("maxResults", "100")
    if not size_text.isdecimal() or not 1 <= int(size_text) <= 100:
        raise validation_error("Value at 'maxResults' must be between 1 and 100")
    start = 0
    if "nextToken" in request.query_params:
        try:
            start = int(decode_page_token(request.query_params["nextToken"]))
        except (ValueError, TypeError) as error:
            raise validation_error("Invalid nextToken") from error
    end = start + int(size_text)
    return items[start:end], {"nextToken": encode_page_token(end)} if end < len(items) else {}


def described(runtime: Runtime, version: RuntimeVersion) -> dict[str, Any]:
    """Write the answer of GetAgentRuntime."""
    is_newest = version is runtime.latest
    return {
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "protocolConfiguration": {"serverProtocol": "HTTP"},
        "platformVersion": "V1",
        **version.settings,
        "agentRuntimeArn": runtime.arn,
        "agentRuntimeName": runtime.name,
        "agentRuntimeId": runtime.runtime_id,
        "agentRuntimeVersion": str(version.number),
        "createdAt": iso_instant(runtime.created_at),
        "lastUpdatedAt": iso_instant(runtime.updated_at if is_newest else version.created_at),
        "status": runtime.status if is_newest else Status.READY,
        "lifecycleConfiguration": version.lifecycle,
        "workloadIdentityDetails": identity_of(runtime),
        **({"failureReason": runtime.failure_reason} if runtime.failure_reason and is_newest else {}),
    }


def changed(runtime: Runtime, version: RuntimeVersion) -> dict[str, Any]:
    """Write the members that the answers of create and update share."""
    return {
        "agentRuntimeArn": runtime.arn,
        "agentRuntimeId": runtime.runtime_id,
        "agentRuntimeVersion": str(version.number),
        "workloadIdentityDetails": identity_of(runtime),
        "status": runtime.status,
    }


def identity_of(runtime: Runtime) -> dict[str, str]:
    directory = f"arn:aws:bedrock-agentcore:{runtime.region}:{runtime.account_id}:workload-identity-directory/default"
    return {"workloadIdentityArn": f"{directory}/workload-identity/{runtime.runtime_id}"}


def endpoint_item(runtime: Runtime, endpoint: Endpoint) -> dict[str, Any]:
    """Write an endpoint as Get and List answer it."""
    item = {
        "name": endpoint.name,
        "id": endpoint.name,
        "targetVersion": str(endpoint.target_version),
        "status": endpoint.status,
        "agentRuntimeEndpointArn": runtime.endpoint_arn(endpoint.name),
        "agentRuntimeArn": runtime.arn,
        "createdAt": iso_instant(endpoint.created_at),
        "lastUpdatedAt": iso_instant(endpoint.updated_at),
    }
    if endpoint.live_version is not None:
        item["liveVersion"] = str(endpoint.live_version)
    if endpoint.description is not None:
        item["description"] = endpoint.description
    return item
