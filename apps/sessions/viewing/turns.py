"""A prompt and its answer as the transcript shows them: all that a template decides by, and all texts that it places.

A turn goes over the socket when its run begins, when the first token comes and when it is over, so its template is kept
as a skeleton. What `_turn.html` and `_turn_state.html` ask a turn for stands in one of the two lists below.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from apps.core.templatetags.loom import duration, instant
from apps.core.text.escapes import with_visible_bidi
from apps.costs.wording import cost_text
from apps.sessions.models import Invocation
from apps.sessions.viewing.skeletons import Skeleton

LONGEST_TITLE = 80
_ENDED_EARLY = frozenset({Invocation.Status.FAILED, Invocation.Status.STOPPED, Invocation.Status.INTERRUPTED})


def answer_url_of(invocation: Invocation) -> str:
    """Where the answer can be had as it was received."""
    return reverse("sessions:answer", args=(invocation.session.public_id, invocation.number))


def is_html(content_type: str) -> bool:
    """Whether an answer is a page of its own, which is shown as its source."""
    return content_type.partition(";")[0].strip().lower() in {"text/html", "application/xhtml+xml"}


def _resend_key() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Turn:
    """A prompt and its answer as the transcript shows them.

    `position` is the place in the stream that it shows; `place_in_queue` counts from 1, and is None where it is not
    queued. One that `is_shortened` leaves out the end of a long answer. `resend_key` is that of a Resend without
    JavaScript: pressed twice, it is one run. All is there before it is rendered: that happens on the event loop, too.
    """

    invocation: Invocation
    output_html: SafeString
    tail_html: SafeString
    position: str = ""
    place_in_queue: int | None = None
    is_shortened: bool = False
    resend_key: str = field(default_factory=_resend_key)

    @property
    def status(self) -> str:
        return str(self.invocation.status)

    @property
    def is_unfinished(self) -> bool:
        return self.invocation.is_unfinished

    @property
    def is_removed(self) -> bool:
        """Its content is gone, as the retention of content asks."""
        return self.invocation.content_removed_at is not None

    @property
    def is_blank(self) -> bool:
        """It is over, bytes came, and nothing of them is shown: no text, no step, no error."""
        run = self.invocation
        is_silent = not self.is_unfinished and run.byte_count > 0 and not run.error_message and not self.output_html
        return is_silent and run.content_removed_at is None

    @property
    def is_empty(self) -> bool:
        """The agent was done without a byte."""
        run = self.invocation
        is_done = run.status == Invocation.Status.COMPLETED and not run.byte_count
        return is_done and not self.output_html and run.content_removed_at is None

    @property
    def unread_count(self) -> int:
        """How much of the answer was not understood."""
        return self.invocation.unread_event_count or 0

    @property
    def is_unread(self) -> bool:
        """Something was not understood, and is still there."""
        return self.unread_count > 0 and not self.is_removed

    @property
    def is_usual(self) -> bool:
        """It has nothing to say for itself, as a failure has, or an answer that was not understood."""
        return not (self.has_failed or self.is_blank or self.is_unread)

    @property
    def has_failed(self) -> bool:
        return bool(self.invocation.error_message)

    @property
    def is_html(self) -> bool:
        return is_html(self.invocation.content_type)

    @property
    def is_sent(self) -> bool:
        return self.invocation.invoked_at is not None

    @property
    def has_reached_agent(self) -> bool:
        return self.invocation.has_reached_agent

    @property
    def is_repeat(self) -> bool:
        """Its prompt was that of an earlier run."""
        return self.invocation.repeated_from_id is not None

    @property
    def has_prompt(self) -> bool:
        return bool(self.invocation.prompt)

    @property
    def has_version(self) -> bool:
        return bool(self.invocation.version)

    @property
    def is_version_assumed(self) -> bool:
        return self.invocation.is_version_assumed

    @property
    def is_placed(self) -> bool:
        """Its place in the queue is known."""
        return bool(self.place_in_queue)

    @property
    def has_total(self) -> bool:
        """It is known when it was over: of one that was interrupted, once something came."""
        return self.invocation.status != Invocation.Status.INTERRUPTED or self.invocation.last_sequence > 0

    @property
    def has_text(self) -> bool:
        return bool(self.invocation.response_text)

    @property
    def can_resend(self) -> bool:
        """It ended badly or early, and what was sent is still known."""
        return self.invocation.status in _ENDED_EARLY and not self.is_removed

    @property
    def chunk_form(self) -> str:
        """The form of the word for its chunks: none, one, several."""
        count = self.invocation.chunk_count
        return "several" if count > 1 else "one" if count else ""

    @property
    def has_input_count(self) -> bool:
        return self.invocation.input_token_count is not None

    @property
    def has_output_count(self) -> bool:
        return self.invocation.output_token_count is not None

    @property
    def cost_form(self) -> str:
        """How sure what it cost is: known, estimate, unpriced; empty where there is nothing to say."""
        run = self.invocation
        if run.cost_usd is not None:
            return "estimate" if run.cost_source == "estimate" else "known"
        return "unpriced" if run.model else ""

    @property
    def is_attempted_again(self) -> bool:
        return self.invocation.attempt_count > 1

    # Texts

    @property
    def pk(self) -> str:
        return str(self.invocation.pk)

    @property
    def number(self) -> str:
        return str(self.invocation.number)

    @property
    def request_key(self) -> str:
        return self.invocation.request_key

    @property
    def place(self) -> str:
        return self.position or f"{self.invocation.pk}::0"

    @property
    def queue_place(self) -> str:
        return str(self.place_in_queue)

    @property
    def title_prompt(self) -> str:
        """The beginning of the prompt."""
        return with_visible_bidi(truncatechars(self.invocation.prompt, LONGEST_TITLE))

    @property
    def prompt(self) -> str:
        return with_visible_bidi(self.invocation.prompt)

    @property
    def payload(self) -> str:
        return self.invocation.payload

    @property
    def requested(self) -> str:
        return instant(self.invocation.requested_at)

    @property
    def removed(self) -> str:
        return instant(self.invocation.content_removed_at)

    @property
    def agent_name(self) -> str:
        return self.invocation.session.agent.name or "Agent"

    @property
    def version(self) -> str:
        return self.invocation.version

    @property
    def since(self) -> str:
        """When it began to wait, in the words of machines: for the agent, or in the queue."""
        run = self.invocation
        is_queued = run.status == Invocation.Status.QUEUED or run.claimed_at is None
        return localtime(run.requested_at if is_queued else run.claimed_at).isoformat()

    @property
    def first_token(self) -> str:
        return duration(self.invocation.time_to_first_token_ms)

    @property
    def total(self) -> str:
        return duration(self.invocation.total_latency_ms)

    @property
    def chunks(self) -> str:
        return intcomma(self.invocation.chunk_count)

    @property
    def input_count(self) -> str:
        return intcomma(self.invocation.input_token_count or 0)

    @property
    def output_count(self) -> str:
        return intcomma(self.invocation.output_token_count or 0)

    @property
    def cost(self) -> str:
        return cost_text(self.invocation.cost_usd, self.invocation.cost_source, self.invocation.model)

    @property
    def attempts(self) -> str:
        return str(self.invocation.attempt_count)

    @property
    def answer_url(self) -> str:
        return answer_url_of(self.invocation)

    @property
    def timeline_url(self) -> str:
        """Where its time went."""
        return reverse("sessions:timeline", args=(self.invocation.session.public_id, self.invocation.number))

    @property
    def again_url(self) -> str:
        """What can be done with its prompt once more."""
        return reverse("sessions:again", args=(self.invocation.session.public_id, self.invocation.number))

    @property
    def menu_url(self) -> str:
        """What can be done with it, for its menu."""
        return reverse("sessions:turn-menu-fragment", args=(self.invocation.session.public_id, self.invocation.number))

    @property
    def origin_url(self) -> str:
        """Where the run is whose prompt was sent once more."""
        return reverse("sessions:run", args=(self.invocation.repeated_from_id,)) if self.has_origin else ""

    @property
    def has_origin(self) -> bool:
        """That run can be opened, as far as is known without reading it: its session was not deleted."""
        run = self._origin_run
        return self.is_repeat and (run is None or run.session.deleted_at is None)

    @property
    def _origin_run(self) -> Invocation | None:
        """The run whose prompt was sent once more, where it was loaded with its session."""
        if not Invocation._meta.get_field("repeated_from").is_cached(self.invocation):
            return None
        run = self.invocation.repeated_from
        return run if run is not None and Invocation._meta.get_field("session").is_cached(run) else None

    @property
    def origin(self) -> str:
        """Which run that is, where that was loaded with this one: nothing is read while a turn is rendered."""
        is_known = Invocation._meta.get_field("repeated_from").is_cached(self.invocation)
        if not self.has_origin or not is_known:
            return _("an earlier run")
        run = self.invocation.repeated_from
        if run is None or run.session_id == self.invocation.session_id:
            return _("run %(number)s") % {"number": run.number if run else ""}
        title = truncatechars(str(run.session), LONGEST_TITLE) if self._origin_run is not None else ""
        return with_visible_bidi(_("run %(number)s of %(title)s") % {"number": run.number, "title": title})

    @property
    def compare_url(self) -> str:
        """Where it stands beside the run whose prompt was sent once more."""
        pair = f"{self.invocation.repeated_from_id},{self.invocation.pk}"
        return f"{reverse('compare:list')}?runs={pair}" if self.is_repeat else ""

    @property
    def expectation_url(self) -> str:
        """Where what to expect of it is told, while it is waited for."""
        return reverse("sessions:expectation", args=(self.invocation.session.public_id, self.invocation.number))

    @property
    def whole_url(self) -> str:
        """The part of the page that shows it with all of its answer."""
        return f"{reverse('sessions:turns-fragment', args=(self.invocation.session.public_id,))}?whole={self.number}"

    @property
    def invoke_url(self) -> str:
        return reverse("sessions:invoke", args=(self.invocation.session.public_id,))

    @property
    def telling(self) -> str:
        """How things stand, in the words in which a screen reader tells them."""
        run = self.invocation
        if run.status == "waiting":
            return _("The answer waits for a person.")
        if run.status == "queued":
            return _("The prompt waits in the queue.")
        if run.is_unfinished:
            return _("%(agent)s is answering.") % {"agent": run.session.agent.name or _("The agent")}
        if run.status == "completed":
            return _("Answer complete, %(time)s.") % {"time": duration(run.total_latency_ms)}
        if run.status == "stopped":
            return _("The answer was stopped.")
        if run.status == "interrupted":
            return _("The answer was interrupted. %(reason)s") % {"reason": run.error_message}
        return _("The answer failed. %(reason)s") % {"reason": run.error_message}


_STATE_SHAPE = (
    "status", "is_unfinished", "is_sent", "has_total", "chunk_form", "has_input_count", "has_output_count",
    "cost_form", "is_attempted_again", "can_resend", "has_text",
)  # fmt: skip
_STATE_TEXTS = (
    "pk", "first_token", "total", "chunks", "input_count", "output_count", "cost", "attempts", "invoke_url",
    "resend_key", "answer_url", "timeline_url",
)  # fmt: skip
STATE = Skeleton(
    "sessions/_turn_state.html",
    "turn",
    shape=_STATE_SHAPE,
    holes=_STATE_TEXTS,
)
TURN = Skeleton(
    "sessions/_turn.html",
    "turn",
    shape=(
        *_STATE_SHAPE, "is_removed", "is_repeat", "has_origin", "has_prompt", "has_version", "is_version_assumed",
        "is_placed", "has_failed",
        "has_reached_agent", "is_html", "is_empty", "is_blank", "is_unread", "is_shortened",
    ),
    holes=(
        *_STATE_TEXTS, "again_url", "menu_url", "origin", "origin_url",
        "compare_url",
        "number", "request_key", "place", "queue_place", "telling", "title_prompt", "prompt", "payload",
        "requested", "removed", "agent_name", "version", "since", "output_html", "tail_html", "expectation_url",
        "whole_url",
    ),
)  # fmt: skip
