"""Taking start series on: a series is rows, its runs are queued runs, and each that ends lets the next begin.

Whichever process hears of an end looks at the rows and does what comes next; the worker looks every few seconds at what
nobody heard of. Everything here may happen twice at once: a run of a series exists once, by its place in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connections, transaction
from django.utils import timezone

from apps.agents.selectors import in_use
from apps.core.exceptions import LoomError
from apps.metrics.models import PlanRun, StartSeries, StartSeriesRun
from apps.metrics.series.planning import due, failed_in_a_row, steps
from apps.metrics.series.running import advance_all_plans, advance_plan
from apps.metrics.series.services import CANCELLED_BEFORE, finish_series, would_exceed
from apps.sessions.engine.host import check_agent
from apps.sessions.invoking import Request, enqueue, stop_invocation
from apps.sessions.models import Invocation, Session
from apps.sessions.services import end_session, start_session

logger = logging.getLogger(__name__)

# After as many failures one after the other the rest would most likely only cost.
FAILURES_IN_A_ROW = 3
NONE_ANSWERED = "None of the sessions was answered. The page of each says what the agent answered."
OF_PLANS = (Invocation.Source.PROMPT_SET, Invocation.Source.SIDE_BY_SIDE, Invocation.Source.BENCH)
CANCELLED = "Cancelled. What was measured until then is kept."
State = StartSeries.State


def advance_series(series_id: int) -> None:
    """Do what comes next in a series, if it is its turn; blocks while a session is ended.

    Whatever ends the series early is written as its state and message.
    """
    series = StartSeries.objects.select_related("agent__runtime", "owner").filter(
        pk=series_id, state__in=StartSeries.ACTIVE
    )
    found = series.first()
    if found is None:
        return
    try:
        _advance(found)
    except LoomError as error:
        finish_series(series=found, state=State.FAILED, message=error.text())
    except Exception:
        finish_series(series=found, state=State.FAILED, message="Loom failed; its log says how.")
        raise


def advance_all() -> int:
    """Take every active series and plan of this mode on; return how many there are."""
    active = StartSeries.objects.filter(in_use("agent__"), state__in=StartSeries.ACTIVE).values_list("pk", flat=True)
    for series_id in active:
        advance_series(series_id)
    return len(active) + advance_all_plans()


def _advance(series: StartSeries) -> None:
    runs = list(series.runs.select_related("invocation__session__agent").order_by("position", "is_warm"))
    if series.is_at_once:
        _advance_at_once(series, runs)
        return
    newest = runs[-1] if runs else None
    is_cancelled = series.cancel_requested_at is not None
    if newest is not None and newest.invocation.is_unfinished and is_cancelled:
        stop_invocation(invocation=newest.invocation)
        newest.invocation.refresh_from_db(fields=["status"])  # one that was only queued is over by now
    if newest is not None and newest.invocation.is_unfinished:
        return
    if is_cancelled:
        _end(series, newest)
        has_begun = any(run.invocation.has_reached_agent for run in runs)
        finish_series(series=series, state=State.CANCELLED, message=CANCELLED if has_begun else CANCELLED_BEFORE)
        return
    if newest is not None:
        is_completed = newest.invocation.status == Invocation.Status.COMPLETED
        if is_completed and series.has_warm_turn and not newest.is_warm:
            _warm(series, newest)
            return
        _end(series, newest)
        if (over := _reason_to_finish(series, runs)) is not None:
            finish_series(series=series, state=over[0], message=over[1])
            return
    begun = {run.position: True for run in runs}  # nothing is out: whatever was is over by now
    _begin(series, due(steps(repeats=series.count), begun)[0].place)


def _advance_at_once(series: StartSeries, runs: list[StartSeriesRun]) -> None:
    """Begin all sessions together, and end them together when the last one is answered."""
    is_cancelled = series.cancel_requested_at is not None
    if not is_cancelled and len(runs) < series.count:
        _begin_all(series, {run.position for run in runs})
        return
    for run in runs:
        if is_cancelled and run.invocation.is_unfinished:
            stop_invocation(invocation=run.invocation)
            run.invocation.refresh_from_db(fields=["status"])
    if any(run.invocation.is_unfinished for run in runs):
        return
    for run in runs:
        _end(series, run)
    if is_cancelled:
        has_begun = any(run.invocation.has_reached_agent for run in runs)
        finish_series(series=series, state=State.CANCELLED, message=CANCELLED if has_begun else CANCELLED_BEFORE)
    elif any(run.invocation.status == Invocation.Status.COMPLETED for run in runs):
        finish_series(series=series, state=State.DONE, message="")
    else:
        finish_series(series=series, state=State.FAILED, message=NONE_ANSWERED)


def _begin_all(series: StartSeries, begun: set[int]) -> None:
    """Start the sessions of all positions in one transaction, so that they are taken up together."""
    check_agent(series.agent, series.qualifier)  # may ask AWS: not while a transaction is open
    with transaction.atomic():
        for position in range(1, series.count + 1):
            if position not in begun and not _is_taken(series, position, is_warm=False):
                _start(series, position)


def _reason_to_finish(series: StartSeries, runs: list[StartSeriesRun]) -> tuple[StartSeries.State, str] | None:
    position = runs[-1].position
    last_by_position = {run.position: run.invocation.status for run in runs}
    succeeded = [last_by_position[place] == Invocation.Status.COMPLETED for place in sorted(last_by_position)]
    if failed_in_a_row(succeeded, FAILURES_IN_A_ROW):
        return (
            State.FAILED,
            f"{FAILURES_IN_A_ROW} sessions failed one after the other, so Loom stopped there: the rest would most "
            "likely only cost. The page of the last session says what the agent answered.",
        )
    if not due(steps(repeats=series.count), dict.fromkeys(last_by_position, True)):
        return State.DONE, ""
    if would_exceed(series=series, begun=position):
        return State.DONE, "One more session could exceed the highest cost, so Loom stopped there."
    return None


def _begin(series: StartSeries, position: int) -> None:
    """Start the session of a position with its first prompt, both or neither, unless somebody else just has."""
    check_agent(series.agent, series.qualifier)  # may ask AWS: not while a transaction is open
    with transaction.atomic():
        if not _is_taken(series, position, is_warm=False):
            _start(series, position)


def _start(series: StartSeries, position: int) -> None:
    """The session of a position with its first prompt; in a transaction of the caller's."""
    session = start_session(
        agent=series.agent,
        owner=series.owner,
        qualifier=series.qualifier,
        title=series.prompt,
        purpose=Session.Purpose.MEASURE_START,
    )
    _enqueue(series, session, position, is_warm=False)
    first = StartSeries.objects.filter(pk=series.pk, state=State.QUEUED)
    first.update(state=State.RUNNING, started_at=timezone.now())


def _warm(series: StartSeries, first: StartSeriesRun) -> None:
    """Send the prompt once more in the session that its first run has started, unless somebody else just has."""
    with transaction.atomic():
        if not _is_taken(series, first.position, is_warm=True):
            _enqueue(series, first.invocation.session, first.position, is_warm=True)


def _is_taken(series: StartSeries, position: int, *, is_warm: bool) -> bool:
    """Whether there is a run at this place. Who asks at the same time waits until this transaction is over."""
    StartSeries.objects.select_for_update().filter(pk=series.pk).first()
    return series.runs.filter(position=position, is_warm=is_warm).exists()


def _enqueue(series: StartSeries, session: Session, position: int, *, is_warm: bool) -> None:
    invocation = enqueue(session=session, request=Request(series.prompt, source=Invocation.Source.MEASURE))
    StartSeriesRun.objects.create(series=series, invocation=invocation, position=position, is_warm=is_warm)


def _end(series: StartSeries, newest: StartSeriesRun | None) -> None:
    """End the session of the newest run where that is asked for; what AWS refuses is counted."""
    if newest is None or not series.ends_session or newest.invocation.session.is_ended:
        return
    if not newest.invocation.has_reached_agent and not newest.is_warm:
        return  # nothing was started that could be ended
    session = newest.invocation.session
    try:
        end_session(session=session)
    except LoomError as error:
        logger.warning("session of a start series not ended session=%s error=%s", session.pk, type(error).__name__)
        series.not_ended_count = (series.not_ended_count or 0) + 1
        series.save(update_fields=["not_ended_count"])


class Advancer:
    """Takes series on in threads of this process: ending a session waits for AWS, which no writer must."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="start-series")
        self._is_closing = False

    def advance_soon(self, advance: Callable[[int], None], key: int) -> None:
        """From any thread, without waiting; while the process ends the worker takes it on."""
        if not self._is_closing:
            self._threads.submit(self._advance, advance, key)

    def _advance(self, advance: Callable[[int], None], key: int) -> None:
        try:
            advance(key)
        except Exception:  # the top frame of a thread's work
            logger.exception("not taken on id=%s by=%s", key, advance.__name__)
        finally:
            connections.close_all()

    def close(self) -> None:
        """Let what is under way end; blocks."""
        self._is_closing = True
        self._threads.shutdown(wait=True, cancel_futures=True)


_advancer: Advancer | None = None


def open_advancer() -> Advancer:
    """Let this process, which runs agents, take series on as soon as a run of theirs ends."""
    global _advancer
    _advancer = Advancer()
    return _advancer


def advance_soon(invocation: Invocation) -> None:
    """Take on the series or plan that a finished run belongs to, where this process does so."""
    if _advancer is None:
        return
    advance: Callable[[int], None]
    key: int | None
    if invocation.source == Invocation.Source.MEASURE:
        advance = advance_series
        key = StartSeriesRun.objects.filter(invocation=invocation.pk).values_list("series_id", flat=True).first()
    elif invocation.source in OF_PLANS:
        advance = advance_plan
        key = PlanRun.objects.filter(invocation=invocation.pk).values_list("plan_id", flat=True).first()
    else:
        return
    if key is not None:
        transaction.on_commit(lambda: _advancer.advance_soon(advance, key), robust=True)
