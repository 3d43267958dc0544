"""What is asked of a range of time, and what is told of it: selections, and who is told the tallies of one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from apps.metrics.figures.counts import Counts
from apps.metrics.figures.tally import FAILED, Gathering, Tally, counts_and_values
from apps.sessions.models import Session
from apps.sessions.pages.listing import ONLY, SHOWN

Group = tuple[int, str, str]
"""Agent's key, qualifier, version."""

HIDDEN = ""
STORED_AS = {
    SHOWN: ("groups", "totals"),
    HIDDEN: ("conversation_groups", "conversation_totals"),
    ONLY: ("measured_groups", "measured_totals"),
}
"""In which columns of a stored period the groups and the totals stand, by what becomes of Measure start's runs."""

PARTS_OF = {SHOWN: (HIDDEN, ONLY), HIDDEN: (HIDDEN,), ONLY: (ONLY,)}
"""Of which parts the runs are, by the same: in a stored sum there are these two."""

PURPOSES = {
    SHOWN: (Session.Purpose.CONVERSATION, Session.Purpose.MEASURE_START),
    HIDDEN: (Session.Purpose.CONVERSATION,),
    ONLY: (Session.Purpose.MEASURE_START,),
}
"""Of which sessions the runs are, by the same."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which invocations: requested in [start, end), of one agent, endpoint and version, or of all; with those of
    Measure start, without them, or those alone (a key of `STORED_AS`).
    """

    start: datetime
    end: datetime
    agent_id: int | None = None
    qualifier: str = ""
    version: str = ""
    measure_start: str = SHOWN

    @property
    def is_whole(self) -> bool:
        """Whether it holds every group, so that their totals will do."""
        return self.agent_id is None and not self.qualifier and not self.version

    def holds(self, group: Group) -> bool:
        agent_id, qualifier, version = group
        return self.agent_id in (None, agent_id) and self.qualifier in ("", qualifier) and self.version in ("", version)


class Taker(Protocol):
    """What is told the tallies of a range, group by group, or as totals where it holds every group."""

    def take(self, at: datetime, group: Group, found: Any) -> None: ...

    def take_total(self, at: datetime, agent_id: int | None, stored: list[Any]) -> None: ...


class Reading:
    """The tally of a selection: of all of it, by agent, and by step of time; complete after `finish`.

    By step there are only the values of `metric`, where one is given. `versions` are those of the selected agent, also
    the ones that are not selected.
    """

    def __init__(self, selection: Selection, metric: str = "", *, by_agent: bool = True) -> None:
        self._has_agents = by_agent
        self.overall = Tally()
        self.by_agent: dict[int, Tally] = {}
        self.by_step: dict[datetime, Tally] = {}
        self.versions: set[str] = set()
        self._selection = selection
        self._metric = metric
        self._all = Gathering()
        self._agents: defaultdict[int, Gathering] = defaultdict(Gathering)
        self._steps: defaultdict[datetime, Gathering] = defaultdict(Gathering)

    def take(self, at: datetime, group: Group, found: Tally | list[Any]) -> None:
        """Add the tally of a group, as it is or as it is stored, where the selection holds it."""
        agent_id, _, version = group
        if self._selection.agent_id == agent_id:
            self.versions.add(version)
        if not self._selection.holds(group):
            return
        counts, raw_values = counts_and_values(found)
        if self._has_agents:
            self._agents[agent_id].add(counts, raw_values)
        self._steps[at].add(counts, raw_values, self._metric)
        if self._selection.agent_id is None:
            self._all.add(counts, raw_values)

    def take_total(self, at: datetime, agent_id: int | None, stored: list[Any]) -> None:
        """Add what is stored of all groups of an agent, or of all agents (None); of both, to a whole selection."""
        if agent_id is not None and not self._has_agents:
            return
        counts, raw_values = counts_and_values(stored)
        if agent_id is not None:
            self._agents[agent_id].add(counts, raw_values)
            return
        self._all.add(counts, raw_values)
        self._steps[at].add(counts, raw_values, self._metric)

    def finish(self) -> None:
        """Put together what was taken."""
        self.by_agent = {agent_id: gathering.tally() for agent_id, gathering in self._agents.items()}
        self.by_step = {at: gathering.tally() for at, gathering in self._steps.items()}
        chosen = self._selection.agent_id
        self.overall = self._all.tally() if chosen is None else self.by_agent.get(chosen, self.overall)


@dataclass(frozen=True, slots=True)
class Seen:
    """How many runs a group has, and the steps in which the first and the last of them were requested."""

    count: int
    first_at: datetime
    last_at: datetime


class CountReading:
    """The counts of a selection, of all of it and by step of time."""

    def __init__(self, selection: Selection) -> None:
        self.overall = Counts()
        self.by_step: dict[datetime, Counts] = {}
        self._selection = selection

    def take(self, at: datetime, group: Group, found: Counts | list[Any]) -> None:
        if self._selection.holds(group):
            self._add(at, found)

    def take_total(self, at: datetime, agent_id: int | None, stored: list[Any]) -> None:
        if agent_id is None:
            self._add(at, stored)

    def _add(self, at: datetime, found: Counts | list[Any]) -> None:
        counts = found if isinstance(found, Counts) else Counts.from_json(found)
        self.overall.merge(counts)
        self.by_step.setdefault(at, Counts()).merge(counts)


class HourReading:
    """How many runs of a selection each hour has, and how many of them failed."""

    def __init__(self, selection: Selection) -> None:
        self.by_hour: dict[datetime, tuple[int, int]] = {}
        self._selection = selection

    def take(self, at: datetime, group: Group, found: Counts | list[Any]) -> None:
        if self._selection.holds(group):
            self._add(at, found)

    def take_total(self, at: datetime, agent_id: int | None, stored: list[Any]) -> None:
        if agent_id is None:
            self._add(at, stored)

    def _add(self, at: datetime, found: Counts | list[Any]) -> None:
        """Counts as they are, as they are stored of an hour, or of each hour of a longer time."""
        if isinstance(found, Counts):
            hours = [(found.invocation_count, found.failed_count)]
        elif isinstance(found[0], dict):
            hours = [(sum(found[0].values()), sum(found[0].get(status, 0) for status in FAILED))]
        else:
            hours = found
        for number, (count, failed) in enumerate(hours):
            if count:
                before = self.by_hour.get(at + timedelta(hours=number), (0, 0))
                self.by_hour[at + timedelta(hours=number)] = before[0] + count, before[1] + failed


class AgentSteps:
    """The tallies of each agent by step of time."""

    def __init__(self) -> None:
        self._found: defaultdict[int, defaultdict[datetime, Gathering]] = defaultdict(lambda: defaultdict(Gathering))

    def take(self, at: datetime, group: Group, found: Tally | list[Any]) -> None:
        self._found[group[0]][at].add(*counts_and_values(found))

    def take_total(self, at: datetime, agent_id: int | None, stored: list[Any]) -> None:
        if agent_id is not None:
            self._found[agent_id][at].add(*counts_and_values(stored))

    def tallies(self) -> dict[int, dict[datetime, Tally]]:
        """What was taken."""
        return {
            agent_id: {at: gathering.tally() for at, gathering in steps.items()}
            for agent_id, steps in self._found.items()
        }


class GroupCount:
    """Which groups have runs."""

    def __init__(self) -> None:
        self.groups: dict[Group, Seen] = {}

    def take(self, at: datetime, group: Group, found: Counts | list[Any] | int) -> None:
        if isinstance(found, int):
            count = found
        else:
            count = found.invocation_count if isinstance(found, Counts) else sum(found[0].values())
        seen = self.groups.get(group)
        self.groups[group] = (
            Seen(count, at, at)
            if seen is None
            else Seen(seen.count + count, min(seen.first_at, at), max(seen.last_at, at))
        )

    def take_total(self, at: datetime, agent_id: int | None, stored: list[Any]) -> None:
        raise AssertionError("groups are asked for, not what they add up to")
