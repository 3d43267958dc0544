"""A session, or one of its runs, as a Markdown text that people keep beside their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext as _

from apps.core.templatetags.loom import duration
from apps.core.text.escapes import with_visible_bidi
from apps.metrics.selectors import measurement_of, startup_of
from apps.sessions.models import Session
from apps.takeout.exporting.reading import RecordedRun, runs_of
from loom_events.recorded import RecordedEvent

_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
_TICKS = re.compile(r"`+")
_ASCII_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def session_markdown(session: Session) -> Iterator[str]:
    """The whole session, run by run."""
    yield f"# {_line(session.title or session.agent.name)}\n\n"
    yield f"- {_('Agent')}: {_line(session.agent.name)} ({_line(session.qualifier)}){_emulated(session)}\n"
    yield f"- {_('Session')}: `{session.runtime_session_id}`\n"
    yield f"- {_('Begun')}: {_utc(session.created_at)}\n"
    for run in runs_of(session):
        yield f"\n{run_markdown(run)}"


def run_markdown(run: RecordedRun) -> str:
    """A run: prompt, what the agent did, its answer, the figures."""
    invocation = run.invocation
    parts = [f"## {_('Run')} {invocation.number} · {_utc(invocation.requested_at)}"]
    if invocation.content_removed_at is not None:
        parts.append(f"*{_('The prompt and the answer were removed, as the retention of content asks.')}*")
    else:
        parts += [f"### {_('Prompt')}", quoted(invocation.prompt or invocation.payload)]
        if steps := list(_steps(run.events)):
            parts += [f"### {_('What the agent did')}", *steps]
        parts += [f"### {_('Answer')}", closed(run.answer) or f"*{_('No text.')}*"]
    parts.append("\n".join(f"- {line}" for line in _figures(run)))
    return "\n\n".join(parts) + "\n"


def quoted(text: str) -> str:
    """Somebody's words in a block that nothing in them can end."""
    longest = max((len(found) for found in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def closed(markdown: str) -> str:
    """An answer whose last block of code is ended, or it would take in whatever comes after it."""
    fence = ""
    for line in markdown.splitlines():
        found = _FENCE.match(line)
        if found is None:
            continue
        mark = found["fence"]
        if not fence:
            # Behind ticks, ticks are no fence: that is code within a line.
            fence = "" if mark[0] == "`" and "`" in found["info"] else mark
        elif mark[0] == fence[0] and len(mark) >= len(fence) and not found["info"].strip():
            fence = ""
    return f"{markdown.rstrip()}\n{fence}" if fence else markdown.strip("\n")


def _steps(events: list[RecordedEvent]) -> Iterator[str]:
    """Tool calls with what went in and what came out."""
    inputs: dict[str, str] = {}
    for event in events:
        if event["kind"] == "tool_input":
            inputs[event["tool_use_id"]] = inputs.get(event["tool_use_id"], "") + event["text"]
    results = {event["tool_use_id"]: event for event in events if event["kind"] == "tool_result"}
    for event in events:
        if event["kind"] != "tool":
            continue
        result = results.get(event["tool_use_id"])
        yield f"- {_('Tool')} {_line(event['name'])}: {_line(result['status']) if result else _('no result')}"
        if given := inputs.get(event["tool_use_id"]):
            yield quoted(given)
        if result is not None and result["text"]:
            yield quoted(result["text"])


def _figures(run: RecordedRun) -> Iterator[str]:
    invocation, measurement = run.invocation, measurement_of(run.invocation)
    yield f"{_('Status')}: {invocation.status}{_emulated(invocation.session)}"
    if invocation.error_message:
        yield f"{_('Error')}: {_line(invocation.error_message)} ({_line(invocation.error_code)})"
    yield f"{_('Time to first token')}: {duration(invocation.time_to_first_token_ms)}"
    yield f"{_('Total')}: {duration(invocation.total_latency_ms)}"
    startup_ms = startup_of(invocation)
    if measurement is not None and startup_ms is not None:
        start = {True: _("cold"), False: _("warm"), None: _("start kind unknown")}[measurement.is_cold]
        yield f"{_('Startup')}: {duration(startup_ms)} ({start}, “{_line(measurement.marker)}”)"
    if invocation.input_token_count is not None:
        yield f"{_('Tokens')}: {invocation.input_token_count} → {invocation.output_token_count}"


def _emulated(session: Session) -> str:
    """Said beside whatever was measured: a text travels alone."""
    return f" · {_('Emulated')}" if session.agent.origin == "emulator" else ""


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _line(text: str) -> str:
    """Somebody's words on one line, as words and not as marks."""
    return _ASCII_MARKS.sub(r"\\\1", with_visible_bidi(" ".join(text.split())))
