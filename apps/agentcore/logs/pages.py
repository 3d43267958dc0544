"""Log lines as a page shows them: what is asked of them, what each says, how they look as a text file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import Any

from django import forms
from django.utils import timezone

from apps.agentcore.logs.blocks import Block, blocks_of
from apps.agentcore.logs.matching import Match, line_of
from apps.agentcore.logs.reading import LogLine
from apps.agents.models import Agent
from apps.aws.logs.records import parse_record, plain, words_of
from apps.sessions.models import Invocation, Session

# CloudWatch shows lines within seconds, now and then after more than a minute.
USUAL_DELAY = timedelta(minutes=3)
_MARGIN = timedelta(minutes=1)  # the agent's clock may be behind ours
_RUN_MARGIN = timedelta(seconds=10)
SHORT_TRACE_LINES = 12
_LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
RANGES = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}


class LogFilterForm(forms.Form):
    """The query string of a log page. A value that cannot be meant is left out."""

    q = forms.CharField(required=False, max_length=200, strip=False)
    level = forms.ChoiceField(
        label="Level",
        required=False,
        choices=[
            ("", "Any level"),
            ("INFO", "Info and above"),
            ("WARNING", "Warnings and errors"),
            ("ERROR", "Errors"),
        ],
    )
    order = forms.ChoiceField(label="Order", required=False, choices=[("", "Oldest first"), ("newest", "Newest first")])
    wrap = forms.BooleanField(label="Wrap", required=False)

    def wanted(self) -> dict[str, Any]:
        """The valid values, empty ones for the others."""
        self.full_clean()
        return {name: self.cleaned_data.get(name, "") for name in self.fields}


class SessionLogFilterForm(LogFilterForm):
    """Of a session's page: also one of its runs, whose instants its lines are kept to."""

    run = forms.IntegerField(required=False, min_value=1, max_value=10**9, widget=forms.HiddenInput)


class AgentLogFilterForm(LogFilterForm):
    """Of an agent's page: also its endpoint, and how far back to look from now."""

    qualifier = forms.ChoiceField(label="Endpoint", required=False)
    range = forms.ChoiceField(
        label="Range", required=False, choices=[("", "Last 24 hours"), ("1h", "Last hour"), ("7d", "Last 7 days")]
    )

    def __init__(self, data: Any, *, agent: Agent) -> None:
        super().__init__(data)
        qualifier = self.fields["qualifier"]
        assert isinstance(qualifier, forms.ChoiceField)
        qualifier.choices = [(name, name) for name in agent.available_qualifiers]


@dataclass(frozen=True)
class ShownLine:
    """A line as it is shown: its text alone, what has several lines, and the whole record where it is a JSON object."""

    line: LogLine
    is_marked: bool = False

    @cached_property
    def _record(self) -> dict[str, Any] | None:
        return parse_record(self.line.message)

    @property
    def text(self) -> str:
        """What the line says, without the colours of a terminal; the first line of several."""
        words = (words_of(self._record) if self._record else None) or self.line.message
        return plain(words).strip("\n").partition("\n")[0].rstrip()

    @cached_property
    def blocks(self) -> list[Block]:
        """Stack traces and other texts of several lines, to be read with their line breaks."""
        return blocks_of(self.line.message, self._record)

    @property
    def is_open(self) -> bool:
        """A stack trace that was printed is read at once where it is short, and where it is the one looked for."""
        is_short = self.line.message.count("\n") < SHORT_TRACE_LINES
        return self.is_marked or (self._record is None and bool(self.blocks) and is_short)

    @property
    def record(self) -> str:
        """The JSON object, laid out for reading; empty for a plain line."""
        return json.dumps(self._record, indent=2, ensure_ascii=False) if self._record else ""

    @property
    def tone(self) -> str:
        """The colour of its level."""
        return {"WARNING": "warn", "ERROR": "bad", "CRITICAL": "bad"}.get(self.line.level, "plain")


def keep_level(lines: Iterable[LogLine], least: str) -> list[LogLine]:
    """The lines of a level and above; all, those without one too, where `least` is empty."""
    if not least:
        return list(lines)
    kept = set(_LEVELS[_LEVELS.index(least) :])
    return [line for line in lines if line.level in kept]


def shown_lines(lines: Sequence[LogLine], run: Invocation | None) -> list[ShownLine]:
    """The lines as a page shows them; the one that tells most of how `run` failed is marked."""
    match = None if run is None else line_of(lines, run)
    return marked_lines(lines, match)


def marked_lines(lines: Iterable[LogLine], match: Match | None) -> list[ShownLine]:
    """The lines as a page shows them, with a mark at the one that was looked for."""
    return [ShownLine(line, is_marked=match is not None and line is match.line) for line in lines]


def newest_first(lines: Sequence[LogLine]) -> list[LogLine]:
    """The newest lines first; those that a stream wrote in one millisecond stay together and read forwards."""
    turned = reversed([list(group) for _, group in groupby(lines, key=lambda line: (line.at, line.stream))])
    return [line for group in turned for line in group]


def range_of_run(run: Invocation) -> tuple[datetime, datetime]:
    """When the lines of a run can have been written; clocks may differ by seconds."""
    sent_at = run.invoked_at or run.requested_at
    return sent_at - _RUN_MARGIN, (run.completed_at or timezone.now()) + _RUN_MARGIN


def state_of(session: Session) -> tuple[str, bool]:
    """A word for what has happened in a session, and whether lines of it may still arrive."""
    newest = session.invocations.order_by("-number").only("number", "status", "completed_at").first()
    if newest is None:
        return "0", False
    is_young = newest.completed_at is not None and timezone.now() - newest.completed_at < USUAL_DELAY
    return f"{newest.number}.{newest.status}", newest.is_unfinished or is_young


def fingerprint(lines: Iterable[LogLine]) -> str:
    """A word for what a page shows: where it is the same, nothing was added."""
    digest = hashlib.blake2s(digest_size=8)
    for line in lines:
        digest.update(f"{line.at.timestamp()} {line.stream} {line.message}\n".encode(errors="replace"))
    return digest.hexdigest()


def range_of(session: Session) -> tuple[datetime, datetime]:
    """When the session's environments can have written lines: from its start to the longest life of the last one."""
    last = session.ended_at or session.last_invoked_at or session.created_at
    start = session.created_at if session.is_own_id else session.created_at - timedelta(days=1)
    end = last + (_MARGIN if session.ended_at else timedelta(milliseconds=session.agent.runtime.max_lifetime_ms))
    return start - _MARGIN, min(end, timezone.now()) + _MARGIN


def is_early(session: Session) -> bool:
    """Whether lines of the newest run may still be on their way."""
    last = session.last_invoked_at
    return last is not None and timezone.now() - last < USUAL_DELAY


def as_text(lines: Iterable[LogLine]) -> str:
    """One line a record, as `2026-11-20T10:00:00.123Z INFO text`; the messages as the agent wrote them."""
    rows = []
    for line in lines:
        at = line.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        rows.append(" ".join(part for part in (at, line.level, line.message.rstrip()) if part))
    return "".join(f"{row}\n" for row in rows)
