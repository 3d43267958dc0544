"""Where an endpoint began to answer in another version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from apps.metrics.figures.readings import Group, Seen


@dataclass(frozen=True, slots=True)
class VersionChange:
    """That an endpoint answered in another version from some step of time on."""

    agent_id: int
    qualifier: str
    before: str
    after: str
    at: datetime

    @property
    def targets(self) -> list[str]:
        """The two sides of it, as the comparison of targets names them."""
        return [f"{self.agent_id}:{self.qualifier}:{version}" for version in (self.before, self.after)]


def version_changes(seen: Mapping[Group, Seen]) -> list[VersionChange]:
    """The changes in a range, the newest first: by when each version was first seen, and by number within a step."""
    versions: dict[tuple[int, str], list[tuple[datetime, int, str]]] = defaultdict(list)
    for (agent_id, qualifier, version), found in seen.items():
        if version:
            versions[agent_id, qualifier].append((found.first_at, len(version), version))
    changes = [
        VersionChange(agent_id, qualifier, before, after, at)
        for (agent_id, qualifier), found in versions.items()
        for (_, _, before), (at, _, after) in pairwise(sorted(found))
    ]
    return sorted(changes, key=lambda change: (change.at, change.agent_id), reverse=True)
