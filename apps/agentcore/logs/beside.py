"""The log of a run beside its conversation: what is asked for, how long it is followed, how often one looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils import timezone

from apps.agentcore.logs.matching import Match, line_of
from apps.agentcore.logs.pages import USUAL_DELAY, ShownLine, fingerprint, marked_lines, range_of_run
from apps.agentcore.logs.reading import LogGroupMissingError, LogPage, read_logs
from apps.agentcore.logs.tracebacks import put_together
from apps.core.exceptions import LoomError
from apps.sessions.models import Invocation, Session

LINES_BESIDE = 200
# Seconds until one looks again, after so many looks that brought nothing.
PAUSES_S = (2, 3, 5, 8, 13, 20)
_LONGEST_SEEN = 80


class RunLogForm(forms.Form):
    """The query string of the fold; a value that cannot be meant is left out."""

    # Without one it is the newest run, and stays that.
    run = forms.IntegerField(required=False, min_value=1, max_value=10**9)
    # The line of the run's error is looked for.
    find = forms.BooleanField(required=False)
    # What is shown, and how often that was still all.
    seen = forms.CharField(required=False, max_length=_LONGEST_SEEN)
    idle = forms.IntegerField(required=False, min_value=0, max_value=1_000)

    def wanted(self) -> dict[str, Any]:
        """The valid values, empty ones for the others."""
        self.full_clean()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


@dataclass(frozen=True)
class RunLog:
    """What the log shows of one run at a moment; `run` is None where nothing was sent yet.

    `page` is None where nobody was asked (nothing can be there) or nothing came: then `missing` or `error` says why.
    """

    run: Invocation | None
    page: LogPage | None = None
    lines: Sequence[ShownLine] = ()
    match: Match | None = None
    # Lines of it may still come.
    goes_on: bool = False
    missing: LogGroupMissingError | None = None
    error: LoomError | None = None

    @property
    def has_failed(self) -> bool:
        return self.missing is not None or self.error is not None

    @property
    def word(self) -> str:
        """A word for what is shown: where it is the same, nothing was added."""
        if self.run is None:
            return "0"
        shown = fingerprint(shown.line for shown in self.lines) if self.lines else ""
        return f"{self.run.number}.{self.run.status}.{int(self.goes_on)}.{shown}"


def newest_or(session: Session, number: int | None) -> Invocation | None:
    """The run of a number, else the session's newest one."""
    runs = session.invocations.defer("prompt", "payload", "response_text").order_by("-number")
    return (runs.filter(number=number).first() if number else None) or runs.first()


def is_followed(run: Invocation, now: datetime) -> bool:
    """Whether lines of a run may still come: it goes on, or CloudWatch may not have shown its last ones yet."""
    if run.is_unfinished:
        return True
    return run.has_reached_agent and run.completed_at is not None and now - run.completed_at < USUAL_DELAY


def read_run_log(session: Session, run: Invocation | None) -> RunLog:
    """The newest lines of a run; blocks for some calls of CloudWatch, and asks nothing of a run that was not sent."""
    if run is None:
        return RunLog(run)
    goes_on = is_followed(run, timezone.now())
    if not run.has_reached_agent:
        return RunLog(run, goes_on=goes_on)
    start_at, end_at = range_of_run(run)
    try:
        page = read_logs(
            agent=session.agent,
            qualifier=session.qualifier,
            runtime_session_id=session.runtime_session_id,
            start_at=start_at,
            end_at=end_at,
            limit=LINES_BESIDE,
        )
    except LogGroupMissingError as error:
        return RunLog(run, goes_on=goes_on, missing=error)
    except LoomError as error:
        return RunLog(run, goes_on=goes_on, error=error)
    lines = put_together(page.events)
    match = line_of(lines, run)
    return RunLog(run, page, marked_lines(lines, match), match, goes_on)


@dataclass(frozen=True, slots=True)
class Following:
    """When one looks again, and with what in the address; `pause_s` is None where nothing more can come."""

    query: str
    pause_s: int | None


def following_of(log: RunLog, wanted: dict[str, Any], *, is_new: bool) -> Following:
    """How a fold goes on: the longer nothing comes, the more seldom it looks."""
    idle = 0 if is_new else min(int(wanted["idle"] or 0) + 1, len(PAUSES_S) - 1)
    asked = {
        "run": wanted["run"],
        "find": "on" if wanted["find"] and log.match is None else "",
        "seen": log.word if is_new else wanted["seen"],
        "idle": idle,
    }
    query = urlencode({name: value for name, value in asked.items() if value != ""})
    return Following(query, PAUSES_S[idle] if log.goes_on else None)
