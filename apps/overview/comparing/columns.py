"""Runs side by side: which, as an address or a plan names them, and what each column tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cached_property

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError, MissingError
from apps.metrics.models import Plan
from apps.metrics.selectors import measurement_of, panel_state, startup_of
from apps.sessions.models import Invocation
from apps.sessions.selectors import invocations_visible_to

LEAST, MOST = 2, 6
LONGEST = 200  # characters of an address that names runs
# So long after its end a run's start is still looked for often; later news are seen when the page is opened again.
LOOKED_FOR = timedelta(minutes=2)


@dataclass(frozen=True)
class Column:
    """A run beside others, or the target of a plan at which none has begun."""

    position: int
    agent: Agent
    qualifier: str
    run: Invocation | None

    @property
    def is_unfinished(self) -> bool:
        return self.run is not None and self.run.is_unfinished

    @cached_property
    def startup_ms(self) -> float | None:
        return None if self.run is None else startup_of(self.run)

    @property
    def start_kind(self) -> str:
        measurement = None if self.run is None else measurement_of(self.run)
        return measurement.start_kind if measurement is not None else ""

    @property
    def start_kind_reason(self) -> str:
        measurement = None if self.run is None else measurement_of(self.run)
        return measurement.start_kind_reason if measurement is not None else ""

    @property
    def has_start(self) -> bool:
        """An environment starts for agents of this kind."""
        return hasattr(self.agent, "runtime")

    @property
    def is_looked_for(self) -> bool:
        """Its start may still be found in the logs."""
        if self.run is None or not self.has_start or not self.run.has_reached_agent:
            return False
        ended_at = self.run.completed_at
        is_recent = ended_at is not None and timezone.now() - ended_at < LOOKED_FOR
        return is_recent and panel_state(self.run, self.startup_ms) in {"waiting", "provisional"}

    @property
    def cost_usd(self) -> Decimal | None:
        return None if self.run is None else self.run.cost_usd

    @property
    def is_emulated(self) -> bool:
        return self.agent.origin == Agent.Origin.EMULATOR


def keys_of(text: str) -> list[int]:
    """The keys that an address names, each once. Raises InvalidInputError where they are not two to six."""
    parts = [part.strip() for part in text[: LONGEST + 1].split(",") if part.strip()]
    is_list = len(text) <= LONGEST and all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts)
    keys = list(dict.fromkeys(map(int, parts))) if is_list else []
    if not LEAST <= len(keys) <= MOST:
        raise InvalidInputError(
            _("%(least)s to %(most)s different runs can stand side by side.") % {"least": LEAST, "most": MOST},
            advice=_("Name them by their ids, with commas between: runs=12,15."),
        )
    return keys


def columns_of_runs(user: User | AnonymousUser, keys: Sequence[int]) -> list[Column]:
    """The runs of these keys, in their order. Raises MissingError where there is one that `user` may not see."""
    runs = _with_all(invocations_visible_to(user).filter(pk__in=keys)).in_bulk()
    for key in keys:
        if key not in runs:
            raise MissingError.of("run", key)
    return [
        Column(position, runs[key].session.agent, runs[key].session.qualifier, runs[key])
        for position, key in enumerate(keys, 1)
    ]


def columns_of_plan(plan: Plan) -> list[Column]:
    """A column for each target of a plan of one prompt, with its run where that has begun."""
    begun = dict(plan.runs.order_by("-place").values_list("target_id", "invocation_id"))
    runs = _with_all(Invocation.objects.filter(pk__in=begun.values(), session__deleted_at=None)).in_bulk()
    targets = plan.targets.select_related("agent__runtime").order_by("position")
    return [
        Column(target.position + 1, target.agent, target.qualifier, runs.get(begun.get(target.pk, 0)))
        for target in targets
    ]


def _with_all(runs: QuerySet[Invocation]) -> QuerySet[Invocation]:
    return runs.select_related("session__agent__runtime", "measurement", "repeated_from__session")
