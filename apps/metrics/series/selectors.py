"""Every read of start series and their results."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.accounts.policy import subject_of, visible
from apps.metrics.figures.figures import Figures
from apps.metrics.figures.statistics import Summary
from apps.metrics.figures.tally import COLUMNS, StartupFigures, Tally
from apps.metrics.models import StartSeries, StartSeriesRun
from apps.metrics.selectors import panel_state, startup_of
from apps.sessions.models import Invocation


def series_visible_to(user: User | AnonymousUser) -> QuerySet[StartSeries]:
    """The series that `user` may see."""
    return StartSeries.objects.filter(visible(subject_of(user), StartSeries)).select_related("agent", "owner")


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """What a series has found so far.

    `figures` are those of the first prompts of its sessions; `ttft_warm` of the second ones.
    """

    figures: Figures
    ttft_warm: Summary

    @property
    def done(self) -> int:
        """Sessions whose first prompt ended by itself. One that was stopped with its series measured nothing."""
        return self.figures.finished_count

    @property
    def is_answering(self) -> bool:
        return bool(self.figures.unfinished_count)

    @property
    def startup(self) -> StartupFigures:
        return self.figures.startup_cold

    @property
    def failed(self) -> int:
        return self.figures.failed_count

    @property
    def stopped(self) -> int:
        return self.figures.stopped_count

    @property
    def not_found(self) -> int:
        return self.figures.cold_states.get("not_found", 0)

    @property
    def waiting(self) -> int:
        """First prompts whose start is still looked for."""
        return sum(self.figures.cold_states.get(state, 0) for state in ("waiting", "provisional"))

    @property
    def cold_penalty_ms(self) -> float | None:
        """TTFT cold − TTFT warm, of the medians; None where either has too few runs for one."""
        cold, warm = self.figures.ttft_cold.p50, self.ttft_warm.p50
        return None if cold is None or warm is None else cold.value - warm.value


def results_of(shown: Collection[StartSeries]) -> dict[int, SeriesResult]:
    """Add up what the invocations of each series say now; by the series' key, in one query for all."""
    cold, warm = ({series.pk: Tally() for series in shown} for _ in range(2))
    names = ("series_id", "is_warm", *(f"invocation__{name}" for name in COLUMNS))
    for key, is_warm, *columns in runs_left().filter(series__in=shown).values_list(*names):
        (warm if is_warm else cold)[key].add(tuple(columns))
    return {key: SeriesResult(Figures(cold[key]), warm[key].summary("ttft", "warm")) for key in cold}


def result_of(series: StartSeries) -> SeriesResult:
    """Add up what the invocations of one series say now."""
    return results_of([series])[series.pk]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session of a series with its first and its second prompt."""

    position: int
    first: Invocation
    second: Invocation | None

    @property
    def startup_ms(self) -> float | None:
        return startup_of(self.first)

    @property
    def startup_state(self) -> str:
        """One word for where the search for the first prompt's start stands."""
        return panel_state(self.first, self.startup_ms).replace("_", " ")


def runs_left() -> QuerySet[StartSeriesRun]:
    """Runs of series, without those of a session that was deleted."""
    return StartSeriesRun.objects.filter(invocation__session__deleted_at=None)


def session_rows(series: StartSeries) -> list[SessionRow]:
    """The sessions of a series, the newest first."""
    runs = runs_left().filter(series=series).select_related("invocation__session", "invocation__measurement")
    by_position: dict[int, dict[bool, Invocation]] = {}
    for run in runs:
        by_position.setdefault(run.position, {})[run.is_warm] = run.invocation
    return [
        SessionRow(position, found[False], found.get(True))
        for position, found in sorted(by_position.items(), reverse=True)
        if False in found
    ]


def is_settled(series: StartSeries, result: SeriesResult) -> bool:
    """Whether nothing of a series changes any more by itself."""
    return not (series.is_active or result.is_answering or result.waiting)
