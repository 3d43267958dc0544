"""Execution environments: one per session, from provisioning over use and idling to its end.

PROVISIONING ──▶ READY ──▶ STOPPING ──▶ GONE
     └───────────────────────────────────▲   (start failed; idle timeout, lifetime and early reclaim skip STOPPING)
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from apps.emulator.agents.traits import CommandAgent, ScriptedAgent, ServedAgent
from apps.emulator.aws_wire import (
    AwsError,
    not_found_error,
    retryable_conflict_error,
    runtime_start_error,
)
from apps.emulator.clock import Clock
from apps.emulator.config import EmulatorConfig
from apps.emulator.environments.agent_process import AgentProcess, AgentProcessError
from apps.emulator.environments.environment_log import EnvironmentLog
from apps.emulator.environments.warm_pool import WarmPool
from apps.emulator.faults import FaultBoard
from apps.emulator.ground_truth import StartKind
from apps.emulator.logs.store import LogStore, environment_stream_name, group_name_of
from apps.emulator.provisioning import StartDraw, draw_dispatch, draw_start, profile_of
from apps.emulator.quotas import NEW_SESSIONS_PER_S, Quotas
from apps.emulator.registry import Runtime, RuntimeVersion

STOP_S = 0.4
# A boot prints its lines when the artifact is there and the process runs: about this far into a cold start.
BOOT_LINES_AT = 0.6
JANITOR_PERIOD_S = 0.5

EnvironmentKey = tuple[str, str, str, str]
"""Region, runtime id, qualifier, session id."""


class Stage(Enum):
    PROVISIONING = "provisioning"
    READY = "ready"
    STOPPING = "stopping"
    GONE = "gone"


@dataclass(eq=False)
class Environment:
    """One environment. Ages are on the lifecycle clock. `ready` is done when it can serve, or carries the AwsError."""

    key: EnvironmentKey
    runtime: Runtime
    version: RuntimeVersion
    start_kind: StartKind
    draw: StartDraw
    log: EnvironmentLog
    made_at_age: float
    ready: asyncio.Future[None]
    idle_since_age: float
    stage: Stage = Stage.PROVISIONING
    turns: int = 0
    process: AgentProcess | None = None
    cuts: set[Callable[[], object]] = field(default_factory=set)

    @property
    def expires_at_age(self) -> float:
        """The age at which it ends: maximum lifetime, or the idle timeout counted from the last answer."""
        lifecycle = self.version.lifecycle
        lifetime = self.made_at_age + lifecycle["maxLifetime"] + self.draw.lifetime_slack_s
        idle_timeout = float(lifecycle["idleRuntimeSessionTimeout"])
        if self.draw.early_reclaim_fraction is not None:
            return min(lifetime, self.idle_since_age + idle_timeout * self.draw.early_reclaim_fraction)
        return min(lifetime, self.idle_since_age + idle_timeout + self.draw.idle_slack_s)

    def begin_use(self, cut: Callable[[], object]) -> int:
        """Count an invocation; `cut` ends it from outside. Returns its turn, from 0."""
        self.cuts.add(cut)
        self.turns += 1
        return self.turns - 1

    def end_use(self, cut: Callable[[], object], age: float) -> None:
        self.cuts.discard(cut)
        self.idle_since_age = age


class Environments:
    """All environments of the account, and how they come and go."""

    def __init__(
        self, *, config: EmulatorConfig, seed: int, clock: Clock, logs: LogStore, quotas: Quotas, faults: FaultBoard
    ) -> None:
        self._config = config
        self._seed = seed
        self._clock = clock
        self._logs = logs
        self._quotas = quotas
        self._faults = faults
        self._pool = WarmPool(seed=seed, clock=clock, logs=logs, time_scale=config.time_scale)
        self._environments: dict[EnvironmentKey, Environment] = {}
        self._ordinals: dict[tuple[str, str], int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()

    def acquire(
        self, runtime: Runtime, version: RuntimeVersion, qualifier: str, session_id: str
    ) -> tuple[Environment, StartKind]:
        """Return the session's environment, starting one if it has none, and how it came to be for this invocation.

        Raises the AwsError RetryableConflictException while it is being provisioned or torn down, throttling and quota
        errors for new ones. The caller awaits `ready`.
        """
        key = (runtime.region, runtime.runtime_id, qualifier, session_id)
        self.expire()
        environment = self._environments.get(key)
        if environment is None:
            environment = self._start(key, runtime, version)
            return environment, environment.start_kind
        if environment.stage is not Stage.READY:
            raise retryable_conflict_error()
        served = isinstance(runtime.traits, ServedAgent)
        return environment, StartKind.UNKNOWN if served else StartKind.REUSED

    async def dispatch(self, environment: Environment, start_kind: StartKind) -> None:
        """Wait until the handler of the environment is entered; raises the AwsError of a failed start."""
        await asyncio.shield(environment.ready)
        if start_kind is StartKind.REUSED and isinstance(environment.runtime.traits, ScriptedAgent):
            await asyncio.sleep(draw_dispatch(environment.draw.rng) * self._config.time_scale)

    async def stop(self, region: str, runtime_id: str, qualifier: str, session_id: str) -> None:
        """End a session's environment; answers under way are cut. Raises not found, or conflict while in progress."""
        self.expire()
        environment = self._environments.get((region, runtime_id, qualifier, session_id))
        if environment is None:
            raise not_found_error("Session not found")
        if environment.stage is not Stage.READY:
            raise retryable_conflict_error()
        environment.stage = Stage.STOPPING
        for cut in list(environment.cuts):
            cut()
        await asyncio.sleep(STOP_S * self._config.time_scale)
        await self._end(environment)

    def expire(self) -> None:
        """End what has idled or lived too long. A busy environment is let finish."""
        age = self._clock.age()
        for environment in list(self._environments.values()):
            if environment.stage is Stage.READY and not environment.cuts and age >= environment.expires_at_age:
                del self._environments[environment.key]
                environment.stage = Stage.STOPPING
                self._spawn(self._end(environment))

    def prepare_pool(self, runtime: Runtime) -> None:
        """Have pre-warmed environments stand ready for a runtime's endpoints, booted some minutes ago."""
        if isinstance(runtime.traits, ScriptedAgent):
            self._pool.prepare(runtime, runtime.traits)

    def describe(self, session_id: str | None) -> list[dict[str, str | int | None]]:
        return [
            {
                "session_id": environment.key[3],
                "runtime_id": environment.key[1],
                "qualifier": environment.key[2],
                "version": str(environment.version.number),
                "stage": environment.stage.value,
                "start_kind": environment.start_kind,
                "invocation_count": environment.turns,
                "log_stream": environment.log.stream_name,
                "pid": environment.process.pid if environment.process else None,
            }
            for environment in self._environments.values()
            if session_id in (None, environment.key[3])
        ]

    async def run_janitor(self) -> None:
        """Expire environments for as long as the emulator runs."""
        while True:
            await asyncio.sleep(JANITOR_PERIOD_S)
            self.expire()

    async def close(self) -> None:
        """Cut every answer and end every environment with its process."""
        for environment in list(self._environments.values()):
            for cut in list(environment.cuts):
                cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._end(environment) for environment in list(self._environments.values())))

    def _start(self, key: EnvironmentKey, runtime: Runtime, version: RuntimeVersion) -> Environment:
        region, runtime_id, *_ = key
        self._quotas.spend(region, "new session", NEW_SESSIONS_PER_S)
        if self._config.has_quotas and len(self._environments) >= self._quotas.max_active_sessions(region):
            raise AwsError(402, "ServiceQuotaExceededException", "maxVms limit exceeded for account")
        image_mb = runtime.traits.image_mb if isinstance(runtime.traits, ScriptedAgent) else 200
        self._ordinals[(region, runtime_id)] += 1
        draw = draw_start(
            seed=self._seed,
            runtime_id=runtime_id,
            ordinal=self._ordinals[(region, runtime_id)],
            profile=profile_of(version.settings, image_mb),
            clock_skew_ms=self._config.clock_skew_ms,
        )
        start_kind, log = self._origin(key, runtime, version, draw)
        age = self._clock.age()
        environment = Environment(
            key=key,
            runtime=runtime,
            version=version,
            start_kind=start_kind,
            draw=draw,
            log=log,
            made_at_age=age,
            idle_since_age=age,
            ready=asyncio.get_running_loop().create_future(),
        )
        # Nobody may be left to hear that the start failed.
        environment.ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        self._environments[key] = environment
        self._spawn(self._provision(environment))
        return environment

    def _origin(
        self, key: EnvironmentKey, runtime: Runtime, version: RuntimeVersion, draw: StartDraw
    ) -> tuple[StartKind, EnvironmentLog]:
        """Decide where an environment comes from, and with that to which stream it writes."""
        _, runtime_id, qualifier, _ = key
        if isinstance(runtime.traits, ScriptedAgent):
            forced = self._faults.take_start_kind(runtime_id)
            wants_pooled = draw.wants_pooled if forced is None else forced is StartKind.POOLED
            stream = (
                self._pool.take(runtime, qualifier, version, is_forced=forced is StartKind.POOLED)
                if wants_pooled
                else None
            )
            if stream is not None:
                return StartKind.POOLED, self._log(key, stream.name, draw)
        kind = StartKind.UNKNOWN if isinstance(runtime.traits, ServedAgent) else StartKind.CREATED
        is_container = "containerConfiguration" in version.settings.get("agentRuntimeArtifact", {})
        name = environment_stream_name(self._clock.now(), draw.environment_id, None if is_container else key[3])
        return kind, self._log(key, name, draw)

    def _log(self, key: EnvironmentKey, stream_name: str, draw: StartDraw) -> EnvironmentLog:
        return EnvironmentLog(
            self._logs,
            region=key[0],
            group_name=group_name_of(key[1], key[2]),
            stream_name=stream_name,
            draw=draw,
            delay_scale=self._config.log_delay_scale,
        )

    async def _provision(self, environment: Environment) -> None:
        traits = environment.runtime.traits
        scale = self._config.time_scale
        failure: AwsError | None = None
        try:
            await asyncio.sleep(self._faults.take_slow_start(environment.runtime.runtime_id))
            if isinstance(traits, CommandAgent):
                environment.process = await AgentProcess.start(
                    traits.arguments, environment.version.settings.get("environmentVariables", {}), environment.log
                )
            elif isinstance(traits, ScriptedAgent) and environment.start_kind is StartKind.POOLED:
                await asyncio.sleep(environment.draw.pooled_s * scale)
            elif isinstance(traits, ScriptedAgent):
                total_s = environment.draw.cold_s * scale
                await asyncio.sleep(total_s * BOOT_LINES_AT)
                environment.log.boot(traits.boot_lines, self._clock.now())
                await asyncio.sleep(total_s * (1 - BOOT_LINES_AT))
            failure = self._faults.take_start_failure(environment.runtime.runtime_id)
        except AgentProcessError:
            failure = runtime_start_error()
        if failure is not None:
            await self._end(environment)
            environment.ready.set_exception(failure)
            return
        environment.stage = Stage.READY
        environment.idle_since_age = self._clock.age()
        environment.ready.set_result(None)

    async def _end(self, environment: Environment) -> None:
        environment.stage = Stage.GONE
        if self._environments.get(environment.key) is environment:
            del self._environments[environment.key]
        if environment.process is not None:
            await environment.process.end()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
