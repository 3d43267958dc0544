"""What keeps Loom from invoking an agent, whatever its status says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`label` fits on a badge, `message` says what happens, `advice` what to do about it."""

    label: str
    message: str
    advice: str


JWT = Obstacle(
    label="JWT",
    message="Loom cannot invoke this agent: it accepts only JWT bearer tokens, and Loom signs requests with IAM.",
    advice="A runtime takes one of the two. Deploy it a second time without a customJWTAuthorizer to use it here.",
)
MMDSV2 = Obstacle(
    label="No MMDSv2",
    message="AWS refuses invocations since 2026-06-30: this runtime does not require MMDSv2.",
    advice=(
        "Update the runtime with metadataConfiguration.requireMMDSV2 = true, which makes a new version, "
        "then refresh it here."
    ),
)


def find_obstacles(*, is_jwt: bool, metadata: Mapping[str, Any]) -> list[Obstacle]:
    """The obstacles of an agent with this answer of GetAgentRuntime; one that was never read has no MMDSv2 to miss."""
    lacks_mmdsv2 = bool(metadata) and metadata.get("metadataConfiguration", {}).get("requireMMDSV2") is not True
    return [obstacle for obstacle, is_met in ((JWT, is_jwt), (MMDSV2, lacks_mmdsv2)) if is_met]
