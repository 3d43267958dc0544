from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.metrics.figures.periods import DAY, HOUR, floor, groups_of, read, read_hours
from apps.metrics.figures.readings import STORED_AS, Reading, Selection
from apps.metrics.figures.store_periods import KEPT_FOR, settle_figures
from apps.metrics.figures.tally import MOST_VALUES
from apps.metrics.models import FigurePeriod, FigureSum, Measurement
from apps.metrics.starts.services import look_again
from apps.metrics.tests.runs import NOON, at, make_due, make_measured, make_run
from apps.sessions.keeping import delete_session, purge_deleted, restore_session
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
TODAY = Selection(NOON - timedelta(hours=12), NOON + timedelta(hours=12))
# Long enough after noon for everything of that day to be over.
LATER = NOON + timedelta(hours=30)


def plain(reading: Reading) -> Any:
    """A reading with its values in order, whatever order they were read in."""

    def tally(one: Any) -> Any:
        return dict(one.statuses), dict(one.cold_states), {key: sorted(values) for key, values in one.values.items()}

    return (
        tally(reading.overall),
        {agent: tally(found) for agent, found in reading.by_agent.items()},
        {step: tally(found) for step, found in reading.by_step.items()},
    )


@pytest.fixture
def day(make_session: MakeSession) -> list[Session]:
    """Runs of two agents over some hours around noon, of every kind that figures tell apart."""
    sessions = [make_session(), make_session()]
    for number, session in enumerate(sessions):
        for hour in range(-5, 6):
            run = make_run(session, hour * 3600.0 + 90 * number, first_byte_s=1.5 + number)
            make_measured(run, 900.0 + hour, start_kind="created" if hour % 2 else "reused")
        make_run(session, 60, status="failed", first_token_at=None)
        make_run(session, 120, status="stopped")
    make_measured(make_run(sessions[0], 200), 700, marker_rank=4, start_kind="created")
    make_due(make_run(sessions[0], 300), state="not_found", tries=14, next_at=None)
    return sessions


@pytest.mark.parametrize("step", [HOUR, timedelta(hours=6), DAY])
@pytest.mark.parametrize(
    "selection",
    [TODAY, Selection(NOON - timedelta(minutes=200), NOON + timedelta(minutes=61))],
    ids=["whole hours", "parts of hours"],
)
def test_stored_hours_say_what_the_rows_say(day: list[Session], selection: Selection, step: timedelta) -> None:
    from_rows = plain(read(selection, step))
    assert settle_figures(LATER) > 10

    reading = read(selection, step)
    assert plain(reading) == from_rows
    assert reading.overall.invocation_count > 5
    mine = Selection(selection.start, selection.end, day[0].agent_id)
    assert plain(read(mine, step))[0] == (
        reading.by_agent[day[0].agent_id].statuses,
        reading.by_agent[day[0].agent_id].cold_states,
        {key: sorted(values) for key, values in reading.by_agent[day[0].agent_id].values.items()},
    )


def test_stored_hours_are_what_is_read(day: list[Session]) -> None:
    settle_figures(LATER)
    FigurePeriod.objects.filter(length=1, start_at=NOON).update(groups=[], totals=[])

    assert read(TODAY, HOUR).by_step.get(NOON) is None


def test_a_deleted_session_is_out_of_the_figures_at_once(day: list[Session]) -> None:
    settle_figures(LATER)
    before = read(TODAY, HOUR).overall.invocation_count
    removed = day[1].invocations.count()
    delete_session(session=day[1])

    assert read(TODAY, HOUR).overall.invocation_count == before - removed
    settle_figures(LATER)
    assert read(TODAY, HOUR).overall.invocation_count == before - removed
    restore_session(session=day[1])
    assert read(TODAY, HOUR).overall.invocation_count == before
    settle_figures(LATER)
    assert read(TODAY, HOUR).overall.invocation_count == before
    delete_session(session=day[1])
    purge_deleted(timezone.now() + timedelta(hours=2))
    assert read(TODAY, HOUR).overall.invocation_count == before - removed


def test_a_run_that_comes_late_is_in_the_figures_at_once(day: list[Session]) -> None:
    settle_figures(LATER)
    before = read(TODAY, HOUR).by_step[NOON].invocation_count
    make_measured(make_run(day[0], 1_000), 800)

    assert read(TODAY, HOUR).by_step[NOON].invocation_count == before + 1


def test_hours_in_which_something_is_open_are_not_stored(make_session: MakeSession) -> None:
    session = make_session()
    make_measured(make_run(session, -3_600), 900)
    make_due(make_run(session, 0), tries=12)
    make_run(session, 3_600, status="streaming", completed_at=None)
    make_run(make_session(), 7_200, completed_at=LATER)

    settle_figures(LATER)
    open_hours = {NOON, NOON + HOUR, NOON + 2 * HOUR}
    stored = set(FigurePeriod.objects.filter(length=1).values_list("start_at", flat=True))
    assert NOON - HOUR in stored
    assert not stored & open_hours


def test_the_hour_that_goes_on_is_not_stored(make_session: MakeSession) -> None:
    make_measured(make_run(make_session(), 0), 900)

    def is_stored(seconds: float) -> bool:
        settle_figures(at(seconds))
        return FigurePeriod.objects.filter(length=1, start_at=NOON).exists()

    assert [is_stored(seconds) for seconds in (1_800, 3_600 + 60, 3_600 + 600)] == [False, False, True]


def test_days_and_quarters_are_stored_when_all_of_their_hours_are(day: list[Session]) -> None:
    settle_figures(NOON + timedelta(hours=11))
    stored = FigureSum.objects.filter(agent=None)
    assert not stored.filter(length=24).exists()
    assert {one.start_at for one in stored.filter(length=6)} >= {NOON - timedelta(hours=6), NOON}
    settle_figures(LATER)
    whole = stored.get(length=24)

    assert (whole.start_at, whole.end_at) == (floor(NOON, DAY), floor(NOON, DAY) + DAY)
    assert whole.invocation_count == Invocation.objects.count()
    selection = Selection(whole.start_at - HOUR, whole.end_at + HOUR)
    of_one = replace(selection, agent_id=day[0].agent_id)
    from_rows = [plain(read(asked, DAY)) for asked in (selection, of_one)]
    FigurePeriod.objects.all().delete()
    assert [plain(read(asked, DAY)) for asked in (selection, of_one)] == from_rows
    assert sum(seen.count for seen in groups_of(selection, DAY).values()) == whole.invocation_count
    FigureSum.objects.update(tallies={}, agents={})
    assert read(selection, DAY).overall.invocation_count == 0


def test_the_hours_of_stored_days_are_those_of_the_rows(day: list[Session]) -> None:
    selections = [TODAY, replace(TODAY, agent_id=day[1].agent_id)]
    from_rows = [read_hours(selection) for selection in selections]
    assert from_rows[0][NOON] == (8, 2)
    settle_figures(LATER)
    FigurePeriod.objects.all().delete()

    assert [read_hours(selection) for selection in selections] == from_rows


def test_many_values_of_a_day_are_told_within_a_hundredth(make_session: MakeSession) -> None:
    session = make_session()
    for number in range(MOST_VALUES + 20):
        make_measured(make_run(session, number * 100.0, first_byte_s=1.0 + number / 50), 900, start_kind="reused")
    selection = Selection(floor(NOON, DAY), floor(NOON, DAY) + DAY)
    exact = read(selection, DAY).overall.summary("ttft", "warm")
    settle_figures(LATER)
    told = read(selection, DAY).overall.summary("ttft", "warm")

    assert (told.n, told.minimum, told.maximum) == (exact.n, exact.minimum, exact.maximum)
    for one, other in ((told.p50, exact.p50), (told.p90, exact.p90), (told.p95, exact.p95)):
        assert one is not None and other is not None
        assert one.value == pytest.approx(other.value, rel=0.0101)
        assert one.low <= other.low and other.high <= one.high


def test_looking_again_forgets_the_stored_hour(day: list[Session]) -> None:
    settle_figures(LATER)
    given_up = Measurement.objects.get(state="not_found")
    assert look_again(invocation=given_up.invocation)

    assert not FigurePeriod.objects.filter(start_at=NOON).exists()
    assert not FigureSum.objects.filter(start_at__in=[NOON, floor(NOON, DAY)]).exclude(
        length=6, start_at=floor(NOON, DAY)
    )
    settle_figures(LATER)
    assert not FigurePeriod.objects.filter(length=1, start_at=NOON).exists()


def test_hours_too_old_to_be_shown_are_deleted(day: list[Session]) -> None:
    settle_figures(LATER)
    assert FigurePeriod.objects.exists()

    settle_figures(LATER + KEPT_FOR + timedelta(days=1))
    assert not FigurePeriod.objects.exists() and not FigureSum.objects.exists()


def test_a_long_past_is_stored_in_portions_the_newest_first(day: list[Session]) -> None:
    assert settle_figures(LATER, limit=3) == 3
    newest = FigurePeriod.objects.order_by("-start_at").filter(length=1).values_list("start_at", flat=True)
    assert newest[0] == NOON + timedelta(hours=28)

    while settle_figures(LATER, limit=10):
        pass
    first = Invocation.objects.order_by("requested_at").values_list("requested_at", flat=True)[0]
    assert FigurePeriod.objects.order_by("start_at")[0].start_at == floor(first, DAY)


def test_steps_count_from_the_epoch_in_utc() -> None:
    assert floor(datetime(2026, 11, 20, 17, 59, 59, tzinfo=UTC), timedelta(hours=6)) == NOON
    assert floor(NOON, timedelta(hours=6)) == NOON
    assert floor(at(-0.001), timedelta(minutes=5)) == at(-300)


@pytest.mark.parametrize("measure_start", STORED_AS)
def test_the_parts_of_stored_hours_and_days_say_what_their_rows_say(day: list[Session], measure_start: str) -> None:
    Session.objects.filter(pk=day[1].pk).update(purpose="measure_start")
    selection = replace(TODAY, measure_start=measure_start)
    of_one = replace(selection, agent_id=day[1].agent_id)
    from_rows = [plain(read(asked, step)) for asked in (selection, of_one) for step in (HOUR, DAY)]
    settle_figures(LATER)

    assert [plain(read(asked, step)) for asked in (selection, of_one) for step in (HOUR, DAY)] == from_rows
    counts = {"": [1, 0], "shown": [2, 1], "only": [1, 1]}[measure_start]
    assert [len(read(asked, HOUR).by_agent) for asked in (selection, of_one)] == counts


def test_what_the_release_before_stored_is_read_from_rows_and_made_again(day: list[Session]) -> None:
    talks = replace(TODAY, measure_start="")
    from_rows = plain(read(talks, HOUR))
    settle_figures(LATER)
    parts = dict.fromkeys(column for part in ("", "only") for column in STORED_AS[part])
    former = set(FigurePeriod.objects.values_list("pk", flat=True))
    FigurePeriod.objects.update(**parts)
    assert FigurePeriod.objects.filter(conversation_groups__isnull=True).count() == len(former) > 0

    assert plain(read(talks, HOUR)) == from_rows
    assert read(TODAY, HOUR).overall.invocation_count > 5
    settle_figures(LATER)
    # For a JSON field `=None` asks for JSON's null, which nothing stores.
    assert not FigurePeriod.objects.filter(conversation_groups__isnull=True).exists()
    assert FigurePeriod.objects.filter(length=1, start_at=NOON).exists()
