"""How long an environment takes to exist: distributions calibrated to published measurements, drawn from the seed.

Published (AWS sample "measure your runtime", us-east-1, September 2026), 75th percentile of a cold start, seconds:

    direct code (zip)   V1  2.85   V2 1.96
    container  200 MB   V1  5.37   V2 1.94
    container    1 GB   V1 15.48   V2 2.13
    container    2 GB   V1 29.72   V2 2.16
    warm invocation         0.152

A log-normal with sigma 0.16 is laid through each 75th percentile: median = p75 / exp(0.6745 sigma). Sizes between
those published are interpolated linearly. How long the hand-over of a pre-warmed environment takes is not published;
0.42 s is assumed: a warm dispatch plus the binding of a session. Assumed is also the share of sessions that get one
(20 %, on V1 only: a V2 environment is restored from a snapshot).
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ZIP_P75_S = {"V1": 2.85, "V2": 1.96}
CONTAINER_P75_S = {
    "V1": ((200, 5.37), (1000, 15.48), (2000, 29.72)),
    "V2": ((200, 1.94), (1000, 2.13), (2000, 2.16)),
}
WARM_P75_S = 0.152
POOLED_P75_S = 0.42
COLD_SIGMA = 0.16
WARM_SIGMA = 0.12
Z75 = 0.6744897501960817
# The published warm figure is a round trip; the environment is entered a little before the answer is back.
DISPATCH_SHARE = 0.8

POOL_SHARE = 0.2
EARLY_RECLAIM_SHARE = 0.03
# An idle environment is not ended on the second.
IDLE_SLACK_S = 20.0
LIFETIME_SLACK_S = 60.0


@dataclass(frozen=True)
class StartProfile:
    """What an artifact means for its cold start. `image_mb` is None for direct code."""

    platform: str
    image_mb: int | None

    @property
    def cold_p75_s(self) -> float:
        if self.image_mb is None:
            return ZIP_P75_S[self.platform]
        return _interpolate(CONTAINER_P75_S[self.platform], self.image_mb)

    @property
    def is_pooled(self) -> bool:
        return self.platform == "V1"


def profile_of(settings: Mapping[str, Any], image_mb: int = 200) -> StartProfile:
    """Read the start profile from the members of a runtime version; an image's size is not among them."""
    platform = settings.get("platformVersion", "V1")
    is_container = "containerConfiguration" in settings.get("agentRuntimeArtifact", {})
    return StartProfile(platform if platform in ZIP_P75_S else "V1", image_mb if is_container else None)


@dataclass(frozen=True)
class StartDraw:
    """Everything random about one environment. Durations in seconds, before the time scale is applied."""

    environment_id: str
    wants_pooled: bool
    cold_s: float
    pooled_s: float
    idle_slack_s: float
    lifetime_slack_s: float
    early_reclaim_fraction: float | None
    skew_s: float
    rng: random.Random


def draw_start(*, seed: int, runtime_id: str, ordinal: int, profile: StartProfile, clock_skew_ms: float) -> StartDraw:
    """Draw the nth environment of a runtime: the same arguments give the same environment, on every machine."""
    rng = random.Random(f"{seed}/{runtime_id}/{ordinal}")  # noqa: S311 -- a simulation, not a secret
    return StartDraw(
        environment_id=seeded_uuid(rng),
        wants_pooled=profile.is_pooled and rng.random() < POOL_SHARE,
        cold_s=_log_normal(rng, profile.cold_p75_s, COLD_SIGMA),
        pooled_s=_log_normal(rng, POOLED_P75_S, WARM_SIGMA),
        idle_slack_s=rng.uniform(0, IDLE_SLACK_S),
        lifetime_slack_s=rng.uniform(0, LIFETIME_SLACK_S),
        early_reclaim_fraction=rng.uniform(0.3, 0.9) if rng.random() < EARLY_RECLAIM_SHARE else None,
        skew_s=max(-3.0, min(3.0, rng.gauss(0, 1))) * clock_skew_ms / 1000,
        rng=rng,
    )


def draw_dispatch(rng: random.Random) -> float:
    """Seconds from the request to the handler of an environment that is already the session's own."""
    return _log_normal(rng, WARM_P75_S, WARM_SIGMA) * DISPATCH_SHARE


def draw_ingestion_delay(rng: random.Random) -> float:
    """Seconds from a log line being written to it being found; 2 % take one to two minutes (assumed, not published)."""
    if rng.random() < 0.02:
        return rng.uniform(62, 110)
    return min(_log_normal(rng, 4.0, 0.5), 45.0)


def seeded_uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _log_normal(rng: random.Random, p75: float, sigma: float) -> float:
    return rng.lognormvariate(math.log(p75) - Z75 * sigma, sigma)


def _interpolate(points: tuple[tuple[int, float], ...], size_mb: int) -> float:
    lower = points[0]
    for upper in points[1:]:
        if size_mb <= upper[0]:
            share = max(0.0, (size_mb - lower[0]) / (upper[0] - lower[0]))
            return lower[1] + share * (upper[1] - lower[1])
        lower = upper
    return lower[1]
