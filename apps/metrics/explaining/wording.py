"""The words for what a timeline consists of."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

GAPS: dict[str, Promise] = {
    "queue": _("In the queue"),
    "preparing": _("Preparing the request"),
    "attempts": _("Earlier attempts"),
    "startup": _("Startup"),
    "response": _("Waiting for the response"),
    "first_byte": _("Waiting for the first byte"),
    "agent": _("Agent at work"),
    "first_token": _("First byte to first token"),
    "answering": _("Answer"),
    "receiving": _("Receiving the answer"),
    "person": _("Waiting for a person"),
    "until_failed": _("Until it failed"),
    "until_stopped": _("Until it was stopped"),
    "until_interrupted": _("Until it was interrupted"),
}
INSTANTS: dict[str, Promise] = {
    "requested": _("prompt received"),
    "claimed": _("taken by a process"),
    "invoked": _("request sent"),
    "agent_started": _("agent started"),
    "headers": _("response headers"),
    "first_chunk": _("first byte"),
    "first_token": _("first token"),
    "waiting": _("waits for a person"),
    "resumed": _("goes on"),
    "end": _("end"),
}
CLOCKS: dict[str, Promise] = {"loom": _("this machine"), "agent": _("the agent")}
SPANS: dict[str, Promise] = {"tool": _("Tool"), "node": _("Node"), "agent": _("Sub-agent")}
TOLD_SPANS: dict[str, Promise] = {
    "tool": _("Tool"), "agent": _("Agent"), "cycle": _("Cycle"), "model": _("Model"), "other": _("Span"),
}  # fmt: skip
