"""Agent runtimes, their versions and endpoints: the state behind the control plane.

A change takes effect after a while (CREATING, UPDATING, DELETING); nothing runs in between, the state is settled
when somebody looks.
"""

from __future__ import annotations

import hashlib
import string
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from apps.emulator.agents.traits import AgentTraits
from apps.emulator.aws_wire import AwsError, conflict_error, not_found_error
from apps.emulator.clock import Clock, iso_instant

DEFAULT_ENDPOINT = "DEFAULT"
MAX_ENDPOINTS = 10
MAX_RUNTIMES = 1000
MAX_VERSIONS = 1000
# How long a deployment takes: V1 registers an artifact, V2 also takes a snapshot of the booted agent ("minutes").
DEPLOY_S = {"V1": 6.0, "V2": 90.0}
ENDPOINT_CHANGE_S = 3.0
DELETE_S = 4.0
DEFAULT_LIFECYCLE = {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800}


class Status(StrEnum):
    CREATING = "CREATING"
    UPDATING = "UPDATING"
    CREATE_FAILED = "CREATE_FAILED"
    UPDATE_FAILED = "UPDATE_FAILED"
    READY = "READY"
    DELETING = "DELETING"


PENDING = (Status.CREATING, Status.UPDATING, Status.DELETING)


@dataclass(frozen=True)
class RuntimeVersion:
    """An immutable snapshot. `settings` are the members of Create/UpdateAgentRuntime that Get gives back."""

    number: int
    settings: Mapping[str, Any]
    created_at: float

    @property
    def lifecycle(self) -> dict[str, int]:
        return {**DEFAULT_LIFECYCLE, **self.settings.get("lifecycleConfiguration", {})}

    @property
    def platform(self) -> str:
        return str(self.settings.get("platformVersion", "V1"))


@dataclass
class Endpoint:
    """A name for a version. `live_version` serves; `target_version` is what a change under way leads to."""

    name: str
    live_version: int | None
    target_version: int
    created_at: float
    updated_at: float
    status: Status = Status.READY
    description: str | None = None
    settles_at: float | None = None


@dataclass(eq=False)
class Runtime:
    runtime_id: str
    name: str
    region: str
    account_id: str
    created_at: float
    updated_at: float
    traits: AgentTraits
    versions: dict[int, RuntimeVersion] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    status: Status = Status.READY
    settles_at: float | None = None
    pending_failure: str | None = None
    failure_reason: str | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:bedrock-agentcore:{self.region}:{self.account_id}:runtime/{self.runtime_id}"

    @property
    def latest(self) -> RuntimeVersion:
        return self.versions[max(self.versions)]

    def endpoint_arn(self, name: str) -> str:
        return f"{self.arn}/runtime-endpoint/{name}"

    def settle(self, age: float, now: float) -> bool:
        """Apply what has become due; False when the runtime is gone by now."""
        if self.settles_at is not None and age >= self.settles_at:
            self.settles_at = None
            if self.status is Status.DELETING:
                return False
            self._finish_change()
        for endpoint in list(self.endpoints.values()):
            if endpoint.settles_at is None or age < endpoint.settles_at:
                continue
            endpoint.settles_at = None
            if endpoint.status is Status.DELETING:
                del self.endpoints[endpoint.name]
                continue
            endpoint.status = Status.READY
            endpoint.live_version = endpoint.target_version
            endpoint.updated_at = now
        return True

    def _finish_change(self) -> None:
        self.failure_reason, self.pending_failure = self.pending_failure, None
        if self.failure_reason is None:
            self.status = Status.READY
            return
        self.status = Status.CREATE_FAILED if self.status is Status.CREATING else Status.UPDATE_FAILED
        # DEFAULT stays where it was.
        default = self.endpoints[DEFAULT_ENDPOINT]
        default.status, default.settles_at = self.status, None


class Registry:
    """All runtimes of the account, by region."""

    def __init__(self, *, clock: Clock, account_id: str, time_scale: float) -> None:
        self.account_id = account_id
        self._clock = clock
        self._time_scale = time_scale
        self._runtimes: dict[tuple[str, str], Runtime] = {}
        self._deletions: Counter[tuple[str, str]] = Counter()

    def add(self, runtime: Runtime) -> Runtime:
        self._runtimes[(runtime.region, runtime.runtime_id)] = runtime
        return runtime

    def all_runtimes(self, region: str | None = None) -> list[Runtime]:
        """Return the runtimes of a region (of all regions for None), settled."""
        keys = [key for key in self._runtimes if region in (None, key[0])]
        return [runtime for key in keys if (runtime := self._settled(key)) is not None]

    def get(self, region: str, runtime_id: str) -> Runtime:
        """Return a runtime; raises the AwsError ResourceNotFoundException."""
        runtime = self._settled((region, runtime_id))
        if runtime is None:
            raise not_found_error(f"Agent runtime {runtime_id} was not found")
        return runtime

    def version(self, runtime: Runtime, number: str | None) -> RuntimeVersion:
        """Return a version of a runtime, the newest for None."""
        if number is None:
            return runtime.latest
        found = runtime.versions.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise not_found_error(f"Version {number} of agent runtime {runtime.runtime_id} was not found")
        return found

    def endpoint(self, runtime: Runtime, name: str) -> Endpoint:
        found = runtime.endpoints.get(name)
        if found is None:
            raise not_found_error(f"Endpoint {name} of agent runtime {runtime.runtime_id} was not found")
        return found

    def create(
        self, *, region: str, name: str, settings: Mapping[str, Any], traits: AgentTraits, failure: str | None = None
    ) -> Runtime:
        """Register a runtime with its first version and the endpoint DEFAULT, all CREATING; it fails with `failure`."""
        existing = self.all_runtimes(region)
        if any(runtime.name == name for runtime in existing):
            raise conflict_error(f"An agent runtime with the name {name} already exists")
        if len(existing) >= MAX_RUNTIMES:
            raise AwsError(402, "ServiceQuotaExceededException", "Maximum number of agent runtimes reached")
        now = self._clock.now()
        runtime = Runtime(
            runtime_id=f"{name}-{stable_suffix(region, name, self._deletions[(region, name)])}",
            name=name,
            region=region,
            account_id=self.account_id,
            created_at=now,
            updated_at=now,
            traits=traits,
            status=Status.CREATING,
            pending_failure=failure,
        )
        runtime.versions[1] = RuntimeVersion(1, settings, now)
        runtime.settles_at = self._due(DEPLOY_S.get(runtime.latest.platform, DEPLOY_S["V1"]))
        runtime.endpoints[DEFAULT_ENDPOINT] = Endpoint(
            DEFAULT_ENDPOINT, None, 1, now, now, Status.CREATING, settles_at=runtime.settles_at
        )
        return self.add(runtime)

    def update(self, runtime: Runtime, settings: Mapping[str, Any], failure: str | None = None) -> RuntimeVersion:
        """Make a new version; DEFAULT follows once it is ready. It fails with `failure`."""
        self.require_settled(runtime)
        if len(runtime.versions) >= MAX_VERSIONS:
            raise AwsError(402, "ServiceQuotaExceededException", "Maximum number of agent runtime versions reached")
        now = self._clock.now()
        version = RuntimeVersion(max(runtime.versions) + 1, settings, now)
        runtime.versions[version.number] = version
        runtime.status = Status.UPDATING
        runtime.pending_failure = failure
        runtime.updated_at = now
        runtime.settles_at = self._due(DEPLOY_S.get(version.platform, DEPLOY_S["V1"]))
        default = runtime.endpoints[DEFAULT_ENDPOINT]
        default.status, default.target_version, default.settles_at = Status.UPDATING, version.number, runtime.settles_at
        return version

    def delete(self, runtime: Runtime, number: str | None) -> None:
        """Delete a runtime, or one version of it that no endpoint points to."""
        self.require_settled(runtime)
        if number is None:
            runtime.status = Status.DELETING
            runtime.settles_at = self._due(DELETE_S)
            self._deletions[(runtime.region, runtime.name)] += 1
            return
        version = self.version(runtime, number)
        if any(version.number in (point.live_version, point.target_version) for point in runtime.endpoints.values()):
            raise conflict_error(f"Version {number} is in use by an endpoint")
        del runtime.versions[version.number]

    def create_endpoint(self, runtime: Runtime, name: str, number: str | None, description: str | None) -> Endpoint:
        self.require_settled(runtime)
        if name in runtime.endpoints:
            raise conflict_error(f"An endpoint with the name {name} already exists")
        if len(runtime.endpoints) >= MAX_ENDPOINTS:
            raise AwsError(402, "ServiceQuotaExceededException", "Maximum number of agent runtime endpoints reached")
        target = self.version(runtime, number).number
        now = self._clock.now()
        endpoint = Endpoint(
            name, None, target, now, now, Status.CREATING, description, settles_at=self._due(ENDPOINT_CHANGE_S)
        )
        runtime.endpoints[name] = endpoint
        return endpoint

    def update_endpoint(
        self, runtime: Runtime, endpoint: Endpoint, number: str | None, description: str | None
    ) -> Endpoint:
        """Point an endpoint to a version (the newest for None). DEFAULT cannot be pointed."""
        self._require_settled_endpoint(runtime, endpoint)
        if endpoint.name == DEFAULT_ENDPOINT:
            raise conflict_error("The DEFAULT endpoint follows the newest version and cannot be updated")
        endpoint.target_version = self.version(runtime, number).number
        endpoint.description = description if description is not None else endpoint.description
        endpoint.status = Status.UPDATING
        endpoint.updated_at = self._clock.now()
        endpoint.settles_at = self._due(ENDPOINT_CHANGE_S)
        return endpoint

    def delete_endpoint(self, runtime: Runtime, endpoint: Endpoint) -> None:
        self._require_settled_endpoint(runtime, endpoint)
        if endpoint.name == DEFAULT_ENDPOINT:
            raise conflict_error("The DEFAULT endpoint cannot be deleted")
        endpoint.status = Status.DELETING
        endpoint.settles_at = self._due(DELETE_S)

    def require_settled(self, runtime: Runtime) -> None:
        """Raise the AwsError ConflictException while a change of the runtime is under way."""
        if runtime.status in PENDING:
            raise conflict_error(f"Agent runtime {runtime.runtime_id} is in status {runtime.status}")

    def _require_settled_endpoint(self, runtime: Runtime, endpoint: Endpoint) -> None:
        if runtime.status is Status.DELETING:
            self.require_settled(runtime)
        if endpoint.status in PENDING:
            raise conflict_error(f"Endpoint {endpoint.name} is in status {endpoint.status}")

    def _settled(self, key: tuple[str, str]) -> Runtime | None:
        runtime = self._runtimes.get(key)
        if runtime is not None and not runtime.settle(self._clock.age(), self._clock.now()):
            del self._runtimes[key]
            return None
        return runtime

    def _due(self, delay_s: float) -> float:
        return self._clock.age() + delay_s * self._time_scale


def stable_suffix(region: str, name: str, generation: int) -> str:
    """Return the 10 characters that AWS puts behind a runtime's name; here the same name always gets the same."""
    alphabet = string.ascii_letters + string.digits
    digest = hashlib.sha256(f"{region}/{name}/{generation}".encode()).digest()
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:10])


def runtime_summary(runtime: Runtime, version: RuntimeVersion, *, is_newest: bool = True) -> dict[str, Any]:
    """Write a list item of ListAgentRuntimes and ListAgentRuntimeVersions."""
    return {
        "agentRuntimeArn": runtime.arn,
        "agentRuntimeId": runtime.runtime_id,
        "agentRuntimeVersion": str(version.number),
        "agentRuntimeName": runtime.name,
        "description": version.settings.get("description", ""),
        "lastUpdatedAt": iso_instant(runtime.updated_at if is_newest else version.created_at),
        "status": runtime.status if is_newest else Status.READY,
    }
