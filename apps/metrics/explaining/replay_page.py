"""What the page of a replay says of a run beside its frames: its marks, its notes, and what can be laid beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.models import User
from apps.core.templatetags.loom import duration
from apps.core.text.escapes import with_visible_bidi
from apps.metrics.explaining.film import lasted_ms
from apps.metrics.explaining.spans import MOST_SPANS, spans_of, stalls_of
from apps.sessions.models import Invocation, Session
from apps.sessions.selectors import invocations_visible_to, sessions_visible_to
from apps.sessions.viewing.rendering import render_turn
from apps.sessions.viewing.turns import Turn
from loom_events.recorded import RecordedEvent

SESSIONS_OFFERED, RUNS_OFFERED = 30, 20
_LONGEST_PROMPT = 60
_LEAST_WIDTH = 0.4  # percent


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to go to; `look` is its style, `x` and `width` are percent of the scale."""

    at_ms: float
    look: str
    label: str
    x: float
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """One of the runs that are played; without a `film_url` there is nothing to play, and `notes` say why."""

    run: Invocation
    turn: Turn
    film_url: str
    lasted_ms: float
    marks: Sequence[Mark]
    notes: Sequence[str]
    left_out_count: int = 0

    @property
    def title(self) -> str:
        return with_visible_bidi(truncatechars(self.run.session.title or self.run.session.agent.name, _LONGEST_PROMPT))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run (with session, agent and runtime loaded) and its events."""

    run: Invocation
    events: Sequence[RecordedEvent]

    @property
    def lasted_ms(self) -> float:
        return lasted_ms(self.run, self.events)


def parts_of(recorded: Sequence[Recorded]) -> list[Part]:
    """The runs of a page, their marks on one scale."""
    longest = max(one.lasted_ms for one in recorded)
    return [_part(one, longest) for one in recorded]


def _part(recorded: Recorded, longest_ms: float) -> Part:
    run, events = recorded.run, recorded.events
    is_played = bool(events) and not run.is_unfinished and run.content_removed_at is None
    address = reverse("sessions:replay-film", args=(run.session.public_id, run.number)) if is_played else ""
    marks = _marks(recorded, longest_ms) if is_played else []
    return Part(
        run=run,
        turn=render_turn(run, events, is_whole=False),
        film_url=address,
        lasted_ms=recorded.lasted_ms,
        marks=marks[:MOST_SPANS],
        notes=_notes(recorded),
        left_out_count=max(len(marks) - MOST_SPANS, 0),
    )


def _marks(recorded: Recorded, longest_ms: float) -> list[Mark]:
    """The first token, tools, and stalls, in the order of time."""
    events, end_ms = recorded.events, recorded.lasted_ms
    spans = spans_of(events, end_ms)
    scale = 100 / max(longest_ms, 0.001)

    def mark(look: str, label: str, start_ms: float, end_ms: float) -> Mark:
        x = min(round(start_ms * scale, 3), 100 - _LEAST_WIDTH)
        width = max(round((end_ms - start_ms) * scale, 3), _LEAST_WIDTH)
        return Mark(start_ms, look, label, x, min(width, 100 - x))

    marks = [mark("tool", span.name, span.start_ms, span.end_ms) for span in spans if span.kind == "tool"]
    marks += [
        mark("stall", _("Stall of %(time)s") % {"time": duration(stall.duration_ms)}, stall.start_ms, stall.end_ms)
        for stall in stalls_of(events, end_ms, spans)
    ]
    first_ms = recorded.run.time_to_first_token_ms
    if first_ms is not None:
        marks.append(mark("token", _("First token"), first_ms, first_ms))
    return sorted(marks, key=lambda mark: mark.at_ms)


def _notes(recorded: Recorded) -> list[str]:
    """What there is to replay of a run that is not simply complete, and what there is not."""
    run, events = recorded.run, recorded.events
    if run.is_unfinished:
        return [_("This run still goes on. It can be replayed once it is over.")]
    if run.content_removed_at is not None:
        return [_("Its recording was removed, as the retention of content asks. There is nothing to replay.")]
    if run.invoked_at is None:
        return [_("The prompt was never sent. There is nothing to replay.")]
    if not events:
        return [_("Nothing of it was recorded. There is nothing to replay.")]
    notes = [*_ending_notes(recorded)]
    answers = [event for event in events if event["kind"] in ("text", "json")]
    if answers and all(event["kind"] == "json" for event in answers):
        notes.append(_("The answer came as one JSON body: it appears in one piece when it was received."))
    elif not answers:
        notes.append(_("No text was answered: what is played is all that happened beside it."))
    if run.lost_event_count:
        notes.append(
            ngettext(
                "%(count)s event at its end could not be stored and is missing.",
                "%(count)s events at its end could not be stored and are missing.",
                run.lost_event_count,
            )
            % {"count": run.lost_event_count}
        )
    return notes


def _ending_notes(recorded: Recorded) -> list[str]:
    run, after = recorded.run, {"time": duration(recorded.lasted_ms)}
    if run.status == Invocation.Status.FAILED:
        return [_("It failed after %(time)s; what had arrived until then is played.") % after]
    if run.status == Invocation.Status.STOPPED:
        return [_("It was stopped after %(time)s; what had arrived until then is played.") % after]
    if run.status == Invocation.Status.INTERRUPTED:
        return [_("It was interrupted; what had arrived until then is played.")]
    return []


@dataclass(frozen=True, slots=True)
class Offer:
    """A run that can be laid beside, and how it is called in a list."""

    pk: int
    label: str


def offers_for(user: User, run: Invocation) -> list[Offer]:
    """The newest runs of the agent that have something to play, those of the same session first."""
    agent = run.session.agent_id
    newest = sessions_visible_to(user).filter(agent=agent).order_by("-created_at", "-pk").values_list("pk", flat=True)
    sessions = {run.session_id, *newest[:SESSIONS_OFFERED]}
    runs = (
        invocations_visible_to(user)
        .filter(session__in=sessions, status__in=Invocation.FINISHED, last_sequence__gt=0, content_removed_at=None)
        .exclude(pk=run.pk)
        .defer("payload", "response_text")
        .order_by("-pk")[:RUNS_OFFERED]
    )
    ordered = sorted(runs, key=lambda other: other.session_id != run.session_id)
    return [Offer(other.pk, _label(other, run.session)) for other in ordered]


def _label(run: Invocation, session: Session) -> str:
    prompt = with_visible_bidi(truncatechars(run.prompt, _LONGEST_PROMPT))
    words = {"id": run.pk, "time": duration(run.total_latency_ms), "prompt": prompt, "number": run.number}
    if run.session_id == session.pk:
        return _("%(number)s of this session, %(time)s: %(prompt)s") % words
    return _("Run %(id)s, %(time)s: %(prompt)s") % words
