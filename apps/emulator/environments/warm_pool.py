"""Environments booted before any session asked for one: their boot lines are minutes old when they serve."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from apps.emulator.agents.traits import ScriptedAgent
from apps.emulator.clock import Clock
from apps.emulator.logs.store import LogStore, LogStream, environment_stream_name, group_name_of
from apps.emulator.provisioning import profile_of, seeded_uuid
from apps.emulator.registry import Runtime, RuntimeVersion

POOL_SIZE = 3
# Seen in usage logs: boot CPU 6 to 43 minutes before the first call.
BOOTED_BEFORE_S = (6 * 60.0, 43 * 60.0)
# A pool that gave one away is filled up again, with one that may be handed out after this long.
REFILL_S = 6 * 60.0


@dataclass(frozen=True)
class PooledEnvironment:
    """One that waits. `usable_at_age` is on the lifecycle clock."""

    version_number: int
    stream: LogStream
    usable_at_age: float


class WarmPool:
    """A few waiting environments for every V1 endpoint."""

    def __init__(self, *, seed: int, clock: Clock, logs: LogStore, time_scale: float) -> None:
        self._seed = seed
        self._clock = clock
        self._logs = logs
        self._time_scale = time_scale
        self._waiting: dict[tuple[str, str, str], deque[PooledEnvironment]] = defaultdict(deque)
        self._booted: dict[tuple[str, str, str], int] = defaultdict(int)

    def prepare(self, runtime: Runtime, agent: ScriptedAgent) -> None:
        """Boot the pool of every endpoint in the past, as if the runtime had been deployed long ago."""
        for endpoint in runtime.endpoints.values():
            version = runtime.versions[endpoint.target_version]
            if profile_of(version.settings).is_pooled:
                for _ in range(POOL_SIZE):
                    self._boot(runtime, endpoint.name, version, agent.boot_lines, is_past=True)

    def take(self, runtime: Runtime, qualifier: str, version: RuntimeVersion, *, is_forced: bool) -> LogStream | None:
        """Take a waiting environment's stream; None when none waits. Forced, one is booted in the past if need be."""
        waiting = self._waiting[(runtime.region, runtime.runtime_id, qualifier)]
        boot_lines = runtime.traits.boot_lines if isinstance(runtime.traits, ScriptedAgent) else ()
        if not self._booted[(runtime.region, runtime.runtime_id, qualifier)]:
            for _ in range(POOL_SIZE):
                self._boot(runtime, qualifier, version, boot_lines, is_past=False)
        while waiting and waiting[0].version_number != version.number:
            # A deployment replaces the pool.
            waiting.popleft()
            self._boot(runtime, qualifier, version, boot_lines, is_past=False)
        if is_forced and not waiting:
            self._boot(runtime, qualifier, version, boot_lines, is_past=True)
        if not waiting or (waiting[0].usable_at_age > self._clock.age() and not is_forced):
            return None
        taken = waiting.popleft()
        self._boot(runtime, qualifier, version, boot_lines, is_past=False)
        return taken.stream

    def _boot(
        self, runtime: Runtime, qualifier: str, version: RuntimeVersion, boot_lines: Iterable[str], *, is_past: bool
    ) -> None:
        key = (runtime.region, runtime.runtime_id, qualifier)
        self._booted[key] += 1
        rng = random.Random(f"{self._seed}/{runtime.runtime_id}/{qualifier}/pool/{self._booted[key]}")  # noqa: S311 -- a simulation
        booted_at = self._clock.now() - (rng.uniform(*BOOTED_BEFORE_S) if is_past else 0.0)
        name = environment_stream_name(booted_at, seeded_uuid(rng), None)
        stream = self._logs.stream(runtime.region, group_name_of(runtime.runtime_id, qualifier), name, booted_at)
        for line in boot_lines:
            self._logs.write(stream, timestamp_ms=int(booted_at * 1000), message=line, visible_at=booted_at)
        usable_at_age = self._clock.age() + (0.0 if is_past else REFILL_S * self._time_scale)
        self._waiting[key].append(PooledEnvironment(version.number, stream, usable_at_age))
