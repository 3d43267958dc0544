"""The control plane: CRUD of agent runtimes, versions and endpoints over rest-json."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.emulator.account import EmulatedAccount
from apps.emulator.aws_wire import EncodedRoute, region_of, require_signature, rest_json, validation_error
from apps.emulator.clock import iso_instant
from apps.emulator.fleet.demo import created_agent
from apps.emulator.page_tokens import PageTokenError
from apps.emulator.quotas import CONTROL_GET_PER_S, CONTROL_LIST_PER_S, CONTROL_MUTATION_PER_S
from apps.emulator.registry import Endpoint, Runtime, RuntimeVersion, Status, runtime_summary
from apps.emulator.service_model import Members, ServiceModel, refuse_rest

# What a request says beside the settings of a version. Tags are not kept.
NO_SETTINGS = ("agentRuntimeId", "agentRuntimeName", "clientToken", "tags")
PAGE_SIZE = 100
Body = dict[str, Any]
Act = Callable[[str, Members], Body]
Item = TypeVar("Item")


class ControlPlane:
    """One method per operation, with the region and the request's members as the service model names them."""

    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account
        self._registry = account.registry
        self._acts: dict[str, tuple[float, Act]] = {
            "ListAgentRuntimes": (CONTROL_LIST_PER_S, self.list_runtimes),
            "CreateAgentRuntime": (CONTROL_MUTATION_PER_S, self.create_runtime),
            "GetAgentRuntime": (CONTROL_GET_PER_S, self.get_runtime),
            "UpdateAgentRuntime": (CONTROL_MUTATION_PER_S, self.update_runtime),
            "DeleteAgentRuntime": (CONTROL_MUTATION_PER_S, self.delete_runtime),
            "ListAgentRuntimeVersions": (CONTROL_LIST_PER_S, self.list_versions),
            "ListAgentRuntimeEndpoints": (CONTROL_LIST_PER_S, self.list_endpoints),
            "CreateAgentRuntimeEndpoint": (CONTROL_MUTATION_PER_S, self.create_endpoint),
            "GetAgentRuntimeEndpoint": (CONTROL_GET_PER_S, self.get_endpoint),
            "UpdateAgentRuntimeEndpoint": (CONTROL_MUTATION_PER_S, self.update_endpoint),
            "DeleteAgentRuntimeEndpoint": (CONTROL_MUTATION_PER_S, self.delete_endpoint),
        }
        self._model = ServiceModel("bedrock-agentcore-control", self._acts, refuse_rest)

    def list_runtimes(self, region: str, members: Members) -> Body:
        page, more = self._page(self._registry.all_runtimes(region), members, ["ListAgentRuntimes", region])
        return {"agentRuntimes": [runtime_summary(runtime, runtime.latest) for runtime in page], **more}

    def create_runtime(self, region: str, members: Members) -> Body:
        settings = settings_of(members)
        # Runtimes created since mid-2026 have it; CreateAgentRuntime has no member to say otherwise.
        settings.setdefault("metadataConfiguration", {"requireMMDSV2": True})
        name = members["agentRuntimeName"]
        runtime = self._registry.create(
            region=region,
            name=name,
            settings=settings,
            traits=created_agent(name),
            failure=self._account.faults.take_deploy_failure(None),
        )
        return {**changed(runtime, runtime.latest), "createdAt": iso_instant(runtime.created_at)}

    def get_runtime(self, region: str, members: Members) -> Body:
        runtime = self._runtime(region, members)
        return described(runtime, self._registry.version(runtime, members.get("agentRuntimeVersion")))

    def update_runtime(self, region: str, members: Members) -> Body:
        runtime = self._runtime(region, members)
        settings = settings_of(members)
        former = runtime.latest.settings
        # Assumed: AWS's own toolkit never sends it, and a runtime without it cannot be invoked.
        if "metadataConfiguration" in former:
            settings.setdefault("metadataConfiguration", former["metadataConfiguration"])
        failure = self._account.faults.take_deploy_failure(runtime.runtime_id)
        version = self._registry.update(runtime, settings, failure)
        return {
            **changed(runtime, version),
            "createdAt": iso_instant(runtime.created_at),
            "lastUpdatedAt": iso_instant(runtime.updated_at),
        }

    def delete_runtime(self, region: str, members: Members) -> Body:
        runtime = self._runtime(region, members)
        number = members.get("agentRuntimeVersion")
        self._registry.delete(runtime, number)
        answer = {"status": Status.DELETING, "agentRuntimeId": runtime.runtime_id}
        return answer | ({"agentRuntimeVersion": number} if number else {})

    def list_versions(self, region: str, members: Members) -> Body:
        runtime = self._runtime(region, members)
        versions = [runtime.versions[number] for number in sorted(runtime.versions, reverse=True)]
        page, more = self._page(versions, members, ["ListAgentRuntimeVersions", runtime.arn])
        items = [runtime_summary(runtime, version, is_newest=version is runtime.latest) for version in page]
        return {"agentRuntimes": items, **more}

    def list_endpoints(self, region: str, members: Members) -> Body:
        runtime = self._runtime(region, members)
        endpoints = list(runtime.endpoints.values())
        page, more = self._page(endpoints, members, ["ListAgentRuntimeEndpoints", runtime.arn])
        return {"runtimeEndpoints": [endpoint_item(runtime, endpoint) for endpoint in page], **more}

    def create_endpoint(self, region: str, members: Members) -> Body:
        runtime, name = self._runtime(region, members), members["name"]
        endpoint = self._registry.create_endpoint(
            runtime, name, members.get("agentRuntimeVersion"), members.get("description")
        )
        return {
            "targetVersion": str(endpoint.target_version),
            "agentRuntimeEndpointArn": runtime.endpoint_arn(name),
            "agentRuntimeArn": runtime.arn,
            "agentRuntimeId": runtime.runtime_id,
            "endpointName": name,
            "status": endpoint.status,
            "createdAt": iso_instant(endpoint.created_at),
        }

    def get_endpoint(self, region: str, members: Members) -> Body:
        runtime = self._runtime(region, members)
        return endpoint_item(runtime, self._registry.endpoint(runtime, members["endpointName"]))

    def update_endpoint(self, region: str, members: Members) -> Body:
        runtime = self._runtime(region, members)
        endpoint = self._registry.endpoint(runtime, members["endpointName"])
        self._registry.update_endpoint(
            runtime, endpoint, members.get("agentRuntimeVersion"), members.get("description")
        )
        answer = endpoint_item(runtime, endpoint)
        for absent in ("name", "id", "description"):
            answer.pop(absent, None)
        return answer

    def delete_endpoint(self, region: str, members: Members) -> Body:
        runtime = self._runtime(region, members)
        endpoint = self._registry.endpoint(runtime, members["endpointName"])
        self._registry.delete_endpoint(runtime, endpoint)
        return {"status": endpoint.status, "agentRuntimeId": runtime.runtime_id, "endpointName": endpoint.name}

    def routes(self) -> list[Route]:
        """Methods and paths are the model's: they end with a slash, other than those of the data plane."""
        return [
            EncodedRoute(operation.path, self._endpoint(name), methods=[operation.method])
            for name, operation in self._model.operations.items()
        ]

    def _endpoint(self, operation: str) -> Callable[[Request], Awaitable[Response]]:
        rate, act = self._acts[operation]

        async def answer(request: Request) -> Response:
            require_signature(request)
            region = region_of(request)
            self._account.quotas.spend(region, f"control {rate}", rate)
            members = self._model.read_rest(operation, request, await request.body())
            self._account.faults.raise_for(operation, members.get("agentRuntimeId"))
            body = self._account.answers.recall(region, operation, members)
            if body is None:
                body = act(region, members)
                self._account.answers.keep(region, operation, members, body)
            return rest_json(body, self._model.operations[operation].status)

        return answer

    def _runtime(self, region: str, members: Members) -> Runtime:
        return self._registry.get(region, members["agentRuntimeId"])

    def _page(self, items: list[Item], members: Members, purpose: list[str]) -> tuple[Sequence[Item], dict[str, str]]:
        size, token = members.get("maxResults", PAGE_SIZE), members.get("nextToken")
        try:
            return self._account.page_tokens.cut(items, size, token, purpose)
        except PageTokenError as error:
            raise validation_error("Invalid nextToken") from error


def settings_of(members: Members) -> dict[str, Any]:
    """Take the members of a version out of a request; raises the AwsError ValidationException."""
    network = members.get("networkConfiguration", {})
    if network.get("networkMode") == "VPC" and "networkModeConfig" not in network:
        raise validation_error("NetworkModeConfig is required for VPC mode")
    return {name: value for name, value in members.items() if name not in NO_SETTINGS}


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
