"""From events to HTML: the same code for the page, for the first frame of a late viewer and for every frame after it.

An answer has two parts: blocks that are closed and never change again, which are appended, and an open tail, which is
replaced. A frame is therefore small however long the answer is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.core.markdown.rendering import render
from apps.core.markdown.stream import MarkdownStream
from apps.sessions.engine.host import Environment, host_of
from apps.sessions.engine.queue import place_in_queue
from apps.sessions.forms import InvokeForm
from apps.sessions.models import Invocation, Session
from apps.sessions.viewing.environment_card import ENVIRONMENT, EnvironmentCard
from apps.sessions.viewing.frames import message
from apps.sessions.viewing.steps import Step, Steps
from apps.sessions.viewing.turns import STATE, TURN, Turn, answer_url_of, is_html
from loom_events.fold import is_answer
from loom_events.kinds import JsonEvent, JsonValue
from loom_events.recorded import RecordedEvent


class AnswerRenderer:
    """Renders one answer as its events come in; every event is given once, in order.

    `parts` is what is closed: pieces of safe HTML, and steps, which may still change. `tail` is the open end.
    """

    def __init__(self, invocation_id: int, answer_url: str = "") -> None:
        self.prefix = f"invocation-{invocation_id}"
        self._growth = f'<span id="{self.prefix}-growth">'  # no agent can write it: the tags of an answer are our own
        self.position = 0
        self.parts: list[str | Step] = []
        self._text = MarkdownStream(f"{self.prefix}-growth", answer_url)
        self._answer_url = answer_url
        self._rendered_tail = ""
        self._grown = ""
        self._steps = Steps()
        self._fence = ""  # what opens the code block that all of the text is in

    @property
    def is_blank(self) -> bool:
        """There is nothing to show yet."""
        return not self.parts and not self._rendered_tail

    @property
    def output(self) -> SafeString:
        """The HTML of everything that is closed."""
        return self.output_after(0)

    @property
    def tail(self) -> SafeString:
        """The HTML of the open end, which changes until it is closed."""
        growth = self._growth
        return mark_safe(self._rendered_tail.replace(growth, growth + self._grown, 1))  # noqa: S308 -- both are safe

    def output_after(self, part: int) -> SafeString:
        """The HTML of the closed parts from this one on."""
        html = [item.html() if isinstance(item, Step) else item for item in self.parts[part:]]
        return mark_safe("".join(html))  # noqa: S308 -- made by MarkdownStream, templates and format_html

    def steps_changed(self, *, after: int, before_part: int) -> SafeString:
        """The HTML that replaces the steps among the first parts that have changed since event `after`."""
        older = [item for item in self.parts[:before_part] if isinstance(item, Step) and item.changed_at > after]
        return mark_safe("".join(step.html() for step in older))  # noqa: S308 -- from a template

    def extend(self, events: list[RecordedEvent]) -> str | None:
        """Take events that only go on with the last line, and return the HTML to append to the open end.

        None, and nothing is taken, where they do more than that.
        """
        if self._fence:
            return None
        text = ""
        for event in events:
            if event["kind"] != "text" or "parent_id" in event:  # as `is_answer` asks, for every token
                return None
            text += event["text"]
        words = self._text.extend(text)
        if words is None:
            return None
        self._grown += words
        self.position = events[-1]["seq"]
        return words

    def feed(self, events: Iterable[RecordedEvent]) -> None:
        """Take events: close what is closed by them and render the open end anew."""
        text = ""
        for event in events:
            self.position = event["seq"]
            if event["kind"] == "text" and is_answer(event):
                self._steps.end_speech(event)
                text += self._fence + event["text"]
                self._fence = ""
                continue
            if event["kind"] == "headers" and is_html(event["content_type"]):
                self._fence = HTML_FENCE
            self._flush(text)
            text = ""
            step = self._steps.take(event)
            if event["kind"] == "json" and is_answer(event):
                self._break()
                self.parts.append(json_answer(event, self._answer_url))
            elif step is not None and not step.is_shown:
                self._break()
                self.parts.append(step)
                step.is_shown = True
        self._flush(text)

    @property
    def element_count(self) -> int:
        """How many elements a page gets of what is closed."""
        html = self.output
        return html.count("<") - html.count("</")

    def close(self) -> None:
        """Close what was still open; nothing comes after it."""
        self._steps.close()
        self._break()

    def turn(
        self,
        invocation: Invocation,
        position: str = "",
        place_in_queue: int | None = None,
        *,
        is_shortened: bool = False,
    ) -> Turn:
        """The turn as far as it is rendered."""
        return Turn(invocation, self.output, self.tail, position, place_in_queue, is_shortened)

    def _flush(self, text: str) -> None:
        if text:
            closed, self._rendered_tail = self._text.feed(text)
            self._grown = ""
            if closed:
                self.parts.append(closed)

    def _break(self) -> None:
        self._flush("")
        html = self._text.close()
        if html:
            self.parts.append(html)
        self._rendered_tail = self._grown = ""


def json_answer(event: JsonEvent, answer_url: str) -> str:
    """A JSON body: what it says as markdown, and beside it the JSON, closed; the JSON alone where it says nothing."""
    if isinstance(event["value"], str):
        return render(event["value"], answer_url)
    text = raw_text(event["value"])
    if event["text"].strip() in {"", text}:
        return format_html('<pre class="json" tabindex="0"><code>{}</code></pre>', text)
    return render(event["text"], answer_url) + render_to_string("sessions/_json_body.html", {"text": text}).strip()


def raw_text(value: JsonValue) -> str:
    """A value as its agent sent it: text as it is, anything else as JSON that people can read."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def environment_of(session: Session) -> Environment:
    """What is known of what the host keeps for a session now."""
    is_busy = not session.is_ended and session.invocations.filter(status__in=Invocation.RUNNING).exists()
    return Environment("busy") if is_busy else idle_environment_of(session)


def idle_environment_of(session: Session, first_run: Invocation | None = None) -> Environment:
    """The same of a session that is not answering; of one with a single run from that alone."""
    if session.is_ended:
        return Environment("ended")
    if first_run is None:
        runs = session.sent_runs()
    else:
        sent_at = first_run.invoked_at if first_run.has_reached_agent else None
        runs = [(sent_at, first_run.completed_at)] if sent_at else []
    if session.ended_at is not None and all(sent_at <= session.ended_at for sent_at, _ in runs):
        return Environment("ended")  # what was asked since has not been sent
    return host_of(session.agent.kind).environment(session, runs)


OUTDATED_PAGE = (
    '<div id="transcript" hx-swap-oob="beforeend"><p class="connection" role="status">Loom was updated. '
    '<a class="link" href="">Reload this page</a> to see what comes.</p></div>'
)
"""What a page of the release before is told, in its own words: it takes HTML, and nothing else that comes."""
ELEMENTS_AT_FIRST = 1_500
"""So many of one answer a page shows before somebody asks for all of it; a megabyte of markdown is 142,000."""
PIECE = 4_000  # characters between two looks at how many there are
# Longer than any that an answer holds.
HTML_FENCE = f"{'`' * 60}html\n"


def render_turn(invocation: Invocation, events: Iterable[RecordedEvent], *, is_whole: bool = True) -> Turn:
    """The turn with everything that is in `events`; a running one keeps its end open.

    Without `is_whole` a long answer that is over is shown as far as a page of many turns can bear.
    """
    renderer = AnswerRenderer(invocation.pk, answer_url_of(invocation))
    is_shortened = False
    if is_whole or invocation.is_unfinished:
        renderer.feed(events)
    else:
        is_shortened = _feed_at_first(renderer, events)
    if not invocation.is_unfinished:
        renderer.close()
    return renderer.turn(invocation, place_in_queue=place_in_queue(invocation), is_shortened=is_shortened)


def _feed_at_first(renderer: AnswerRenderer, events: Iterable[RecordedEvent]) -> bool:
    """Take events until they are more elements than are shown at first; whether something is left out."""
    taken = shown = 0
    for event in events:
        pieces = [event]
        if event["kind"] == "text" and len(event["text"]) > PIECE:
            text = event["text"]
            pieces = [{**event, "text": text[start : start + PIECE]} for start in range(0, len(text), PIECE)]
        for piece in pieces:
            if shown > ELEMENTS_AT_FIRST:
                return True
            renderer.feed([piece])
            taken += len(piece["text"]) if piece["kind"] == "text" else PIECE
            if taken >= PIECE:
                taken, shown = 0, renderer.element_count
    return False


def turn_message(turn: Turn, *, is_end: bool = False) -> str:
    """A whole turn: it replaces the one of its run on the page, where there is one. `end` says that the run is over."""
    html = TURN.render(turn) if turn.is_usual else TURN.render_whole(turn)
    run = turn.invocation
    return (
        message("end", run=run.pk, number=run.number, html=html) if is_end else message("turn", run=run.pk, html=html)
    )


def state_message(turn: Turn) -> str:
    """What stands below an answer."""
    return message("state", run=turn.invocation.pk, html=STATE.render(turn))


def composer_message(session: Session, running: Invocation | None, form: InvokeForm | None = None) -> str:
    """Where the next prompt is typed."""
    context = {"session": session, "running": running, "prompt_form": form or InvokeForm()}
    return message("composer", html=render_to_string("sessions/_composer.html", context))


def environment_message(session: Session, environment: Environment) -> str:
    """What becomes of the environment."""
    return message("environment", html=ENVIRONMENT.render(EnvironmentCard(session, environment)))


def answer_message(renderer: AnswerRenderer, at: str, *, after: int, from_part: int) -> str:
    """What brings a page from event `after`, with `from_part` parts, to where the renderer is, which is place `at`.

    Whatever open end that page shows is replaced by `html`, `closed` is appended to what is closed, and each of the
    `steps` takes the place of what it was.
    """
    more = {
        "closed": renderer.output_after(from_part),
        "steps": renderer.steps_changed(after=after, before_part=from_part),
    }
    return message("answer", at=at, html=renderer.tail, **{name: html for name, html in more.items() if html})
