"""What can be compared: the endpoints and versions that have runs in a range, and where a version changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.agents.selectors import registry_visible_to
from apps.metrics.figures.changes import VersionChange, version_changes
from apps.metrics.figures.pages.ranges import TimeRange
from apps.metrics.figures.periods import DAY, groups_of
from apps.metrics.figures.readings import Group, Seen, Selection

SHOWN = 12
CHANGES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Option:
    """A target that can be added, and how many runs it has."""

    agent: Agent
    qualifier: str
    version: str
    count: int

    @property
    def text(self) -> str:
        return f"{self.agent.pk}:{self.qualifier}:{self.version}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found; `more_count` options match as well."""

    options: list[Option]
    more_count: int
    changes: list[tuple[Agent, VersionChange]]


def find(
    user: User | AnonymousUser, period: TimeRange, measure_start: str, words: str = "", chosen: Collection[str] = ()
) -> Findings:
    """The targets with runs in a range whose names have all the words, those with most runs first; and the changes of
    versions in it, the newest first.
    """
    seen = groups_of(Selection(period.start, period.end, measure_start=measure_start), DAY)
    agents = registry_visible_to(user, "read figures").defer("runtime__raw_metadata")
    by_key = agents.in_bulk({agent_id for agent_id, _, _ in seen})
    options = [option for option in _options(seen, by_key) if _matches(option, words) and option.text not in chosen]
    options.sort(key=lambda option: (-option.count, option.agent.name, option.text))
    changes = [(by_key[one.agent_id], one) for one in version_changes(seen) if one.agent_id in by_key]
    return Findings(options[:SHOWN], max(0, len(options) - SHOWN), changes[:CHANGES_SHOWN])


def _options(seen: Mapping[Group, Seen], agents: Mapping[int, Agent]) -> list[Option]:
    """Every version at its endpoint, and what holds several of them: an endpoint, an agent."""
    counts: dict[Group, int] = defaultdict(int)
    members: dict[Group, set[str]] = defaultdict(set)  # the endpoints of an agent, the versions at an endpoint
    for group, found in seen.items():
        agent_id, qualifier, version = group
        for wider, member in {group: "", (agent_id, qualifier, ""): version, (agent_id, "", ""): qualifier}.items():
            counts[wider] += found.count
            members[wider].add(member)
    return [
        Option(agents[group[0]], group[1], group[2], count)
        for group, count in counts.items()
        if group[0] in agents and (group in seen or len(members[group]) > 1)
    ]


def _matches(option: Option, words: str) -> bool:
    text = f"{option.agent.name} {option.qualifier} {option.version}".lower()
    return all(word in text for word in words.lower().split())
