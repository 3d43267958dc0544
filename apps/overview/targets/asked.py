"""Targets that an address names: an agent, an endpoint or a version of it, over the range of the page or its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.agents.selectors import registry_visible_to
from apps.core.exceptions import InvalidInputError, MissingError
from apps.metrics.figures.pages.ranges import TimeRange, parse_range, step_for
from apps.metrics.figures.readings import Selection

LEAST, MOST = 2, 6
LONGEST = 300  # characters of a target
ANY = "*"


@dataclass(frozen=True, slots=True)
class Target:
    """Runs that are compared: of an agent, at an endpoint and in a version where these are named, over a period."""

    position: int
    agent: Agent
    qualifier: str
    version: str
    period: TimeRange
    has_own_period: bool = False

    @property
    def text(self) -> str:
        """As an address names it."""
        own = f"@{_minute(self.period.start)}/{_minute(self.period.end)}" if self.has_own_period else ""
        return f"{self.agent.pk}:{self.qualifier}:{self.version}{own}"

    @property
    def facts(self) -> str:
        """What stands beside the agent's name."""
        version = _("version %(version)s") % {"version": self.version} if self.version else _("all versions")
        parts = [self.qualifier or _("all endpoints"), version]
        return " · ".join([*parts, self.period.words] if self.has_own_period else parts)

    def selection(self, measure_start: str) -> Selection:
        return Selection(self.period.start, self.period.end, self.agent.pk, self.qualifier, self.version, measure_start)


@dataclass(frozen=True, slots=True)
class _Named:
    """The parts of a target's text."""

    agent: str
    qualifier: str
    version: str
    own: str


def targets_of(
    user: User | AnonymousUser, texts: Sequence[str], period: TimeRange, now: datetime, *, least: int = LEAST
) -> list[Target]:
    """The targets that these texts name, in their order, each once.

    Raises InvalidInputError where one cannot be read or they are too few or too many, and MissingError for an agent
    that `user` may not see.
    """
    named = [_named(text) for text in dict.fromkeys(texts[: MOST + 1])]
    if not least <= len(named) <= MOST:
        raise InvalidInputError(
            _("%(least)s to %(most)s different targets can be compared.") % {"least": LEAST, "most": MOST},
            advice=_("Name each as AGENT:ENDPOINT:VERSION, the last two empty or * for all: target=12:DEFAULT:3."),
        )
    agents = _agents(user, [one.agent for one in named])
    return [
        Target(position, agents[one.agent], one.qualifier, one.version, _own(one.own, now) or period, bool(one.own))
        for position, one in enumerate(named, 1)
    ]


def whole_range(targets: Sequence[Target], period: TimeRange) -> TimeRange:
    """The range of the page, or what the periods of all targets lie in, where one has its own."""
    start = min((target.period.start for target in targets), default=period.start)
    end = max((target.period.end for target in targets), default=period.end)
    if (start, end) == (period.start, period.end):
        return period
    return replace(period, key="custom", words="", start=start, end=end, step=step_for(end - start))


def _named(text: str) -> _Named:
    head, _at, own = text.partition("@")
    parts = head.rsplit(":", 2)
    agent, qualifier, version = (part.strip() for part in [*parts, "", ""][:3])
    if not agent or len(text) > LONGEST or "\0" in text:
        raise InvalidInputError(
            _("%(text)s names no target.") % {"text": text[:40].replace("\0", "") or "''"},
            advice=_("A target is AGENT:ENDPOINT:VERSION, with @FROM/TO behind it for a period of its own."),
        )
    return _Named(agent, "" if qualifier == ANY else qualifier, "" if version == ANY else version, own)


def _own(text: str, now: datetime) -> TimeRange | None:
    if not text:
        return None
    first, _slash, last = text.partition("/")
    period = parse_range({"range": "custom", "from": first, "to": last}, now)
    if period.problem:
        raise InvalidInputError(_("The period of a target was not understood."), advice=period.problem)
    return period


def _agents(user: User | AnonymousUser, names: Sequence[str]) -> dict[str, Agent]:
    """The agents of these ids or names."""
    ids = [int(name) for name in names if _is_id(name)]
    rows = registry_visible_to(user, "read figures").filter(Q(pk__in=ids) | Q(name__in=names))
    rows = rows.defer("runtime__raw_metadata")
    found: dict[str, list[Agent]] = {name: [] for name in names}
    for agent in rows:
        for name in found:
            if name == agent.name or (_is_id(name) and int(name) == agent.pk):
                found[name].append(agent)
    for name, agents in found.items():
        if not agents:
            raise MissingError.of("agent", name)
        if len(agents) > 1:
            raise InvalidInputError(
                _("%(name)s is the name of several agents.") % {"name": name}, advice=_("Name it by its id.")
            )
    return {name: agents[0] for name, agents in found.items()}


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _minute(at: datetime) -> str:
    """An instant to the minute, as an address has it; the one after it where seconds would be lost."""
    up = at if not (at.second or at.microsecond) else at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return f"{up:%Y-%m-%dT%H:%M}"
