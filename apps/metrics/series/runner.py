"""Running start series in a web process: a thread looks for queued ones, and each gets a thread of its own.

Threads, because a series waits for one run after the other, and starting, stopping and ending are services for threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from uuid import UUID

from django.db import connections

from apps.core.exceptions import LoomError
from apps.metrics.models import StartSeries, StartSeriesRun
from apps.metrics.series import services
from apps.metrics.series.services import claim_series, finish_series
from apps.sessions.models import Invocation, Session
from apps.sessions.services import end_session, invoke, request_stop, start_session

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
POLL_S = 0.25
CLOSE_WITHIN_S = 10.0
# After as many failures one after the other the rest would most likely only cost.
FAILURES_IN_A_ROW = 3


class SeriesEndedError(Exception):
    """The series is over before its last session; the arguments are its state and message."""

    def __init__(self, state: StartSeries.State, message: str) -> None:
        super().__init__(message)
        self.state = state
        self.message = message


class SeriesRunner:
    """The series of this process, from `start` to `close`."""

    def __init__(self) -> None:
        self._process_id: UUID | None = None
        self._is_stopping = threading.Event()
        self._look = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, process_id: UUID) -> None:
        """Begin to take up queued series for the registered process."""
        self._process_id = process_id
        self._is_stopping.clear()
        self._begin("look for start series", self._take_up)

    def renew(self, process_id: UUID) -> None:
        """Take up series under another id from now on: this process was paused and counts as dead under its old one."""
        self._process_id = process_id

    def look(self) -> None:
        """Look for a queued series at once."""
        self._look.set()

    def close(self) -> None:
        """Interrupt what runs. The prompts that are out are left to the engine, which lets them end."""
        self._is_stopping.set()
        self._look.set()
        for thread in list(self._threads):
            thread.join(CLOSE_WITHIN_S)

    def _begin(self, name: str, target: Callable[[], None]) -> None:
        def run() -> None:
            try:
                target()
            except Exception:  # the top frame of a thread
                logger.exception("start series thread failed name=%s", name)
            finally:
                connections.close_all()

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _take_up(self) -> None:
        assert self._process_id is not None
        while not self._is_stopping.is_set():
            try:
                while (series := claim_series(process_id=self._process_id)) is not None:
                    taken = SeriesRun(series, self._is_stopping)
                    self._begin(f"start series {series.pk}", taken.run)
            except Exception:  # the database may be away for a moment
                logger.exception("queued start series not read")
            connections.close_all()
            self._look.wait(LOOK_EVERY_S)
            self._look.clear()


class SeriesRun:
    """One series, run to its end by the calling thread."""

    def __init__(self, series: StartSeries, is_stopping: threading.Event) -> None:
        self._series = series
        self._is_stopping = is_stopping
        self._failures = 0
        self._not_ended = 0

    def run(self) -> None:
        """Run session after session; whatever ends it early is written as the series' state and message."""
        series = self._series
        state, message = StartSeries.State.DONE, ""
        try:
            for position in range(1, series.count + 1):
                self._check_cost(position)
                self._run_session(position)
        except SeriesEndedError as ended:
            state, message = ended.state, ended.message
        except LoomError as error:
            state, message = StartSeries.State.FAILED, error.text()
        except Exception:
            finish_series(series=series, state=StartSeries.State.FAILED, message="Loom failed; its log says how.")
            raise
        if self._not_ended:
            sessions = "One session" if self._not_ended == 1 else f"{self._not_ended} sessions"
            message = f"{message} {sessions} could not be ended; AgentCore does so at the idle timeout.".strip()
        finish_series(series=series, state=state, message=message)

    def _check_cost(self, position: int) -> None:
        """Raise SeriesEndedError where another session like the ones before would exceed the highest cost."""
        if services.would_exceed(series=self._series, begun=position - 1):
            raise SeriesEndedError(
                StartSeries.State.DONE,
                "One more session could exceed the highest cost, so Loom stopped there.",
            )

    def _run_session(self, position: int) -> None:
        series = self._series
        self._check_asked()
        session = start_session(
            agent=series.agent,
            owner=series.owner,
            qualifier=series.qualifier,
            title=series.prompt,
            purpose=Session.Purpose.MEASURE_START,
        )
        try:
            status = self._send(session, position, is_warm=False)
            if status == Invocation.Status.COMPLETED and series.has_warm_turn:
                self._send(session, position, is_warm=True)
        finally:
            if series.ends_session and not self._is_stopping.is_set():
                self._end(session)
        self._failures = 0 if status == Invocation.Status.COMPLETED else self._failures + 1
        if self._failures == FAILURES_IN_A_ROW:
            raise SeriesEndedError(
                StartSeries.State.FAILED,
                f"{FAILURES_IN_A_ROW} sessions failed one after the other, so Loom stopped there: the rest would most "
                "likely only cost. The page of the last session says what the agent answered.",
            )

    def _send(self, session: Session, position: int, *, is_warm: bool) -> str:
        """Send the prompt, wait for the end of its run, and return the run's status."""
        invocation = invoke(session=session, prompt=self._series.prompt)
        StartSeriesRun.objects.create(series=self._series, invocation=invocation, position=position, is_warm=is_warm)
        while True:
            status = Invocation.objects.filter(pk=invocation.pk).values_list("status", flat=True).first()
            if status not in Invocation.RUNNING:
                return status or Invocation.Status.INTERRUPTED
            try:
                self._check_asked()
            except SeriesEndedError as ended:
                if ended.state == StartSeries.State.CANCELLED:
                    request_stop(invocation=invocation)
                raise
            self._is_stopping.wait(POLL_S)

    def _check_asked(self) -> None:
        """Raise SeriesEndedError where somebody wants the end of the series, or the process ends."""
        series = self._series
        row = StartSeries.objects.filter(pk=series.pk).values_list("state", "cancel_requested_at").first()
        if row is None or row[0] != StartSeries.State.RUNNING or self._is_stopping.is_set():
            raise SeriesEndedError(
                StartSeries.State.INTERRUPTED,
                "Loom was stopped. What was measured until then is kept; start another series for more.",
            )
        if row[1] is not None:
            raise SeriesEndedError(StartSeries.State.CANCELLED, "Cancelled. What was measured until then is kept.")

    def _end(self, session: Session) -> None:
        try:
            end_session(session=session)
        except LoomError as error:
            logger.warning("session of a start series not ended session=%s error=%s", session.pk, type(error).__name__)
            self._not_ended += 1


runner = SeriesRunner()
