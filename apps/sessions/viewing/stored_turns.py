"""What a broadcast asks the database, in a thread: runs as they stand, and their turns and environments as HTML."""

from __future__ import annotations

from apps.sessions import selectors
from apps.sessions.engine.queue import place_in_queue
from apps.sessions.models import Invocation, Session
from apps.sessions.viewing.rendering import (
    environment_message,
    environment_of,
    idle_environment_of,
    render_turn,
    turn_message,
)
from loom_events.recorded import RecordedEvent


def unfinished(invocation_id: int) -> tuple[Invocation | None, int | None]:
    """A run as it stands now, with its place in the queue; None where it is over."""
    rows = Invocation.objects.select_related("session__agent__runtime", "repeated_from__session")
    invocation = rows.filter(pk=invocation_id, status__in=Invocation.UNFINISHED).first()
    return invocation, None if invocation is None else place_in_queue(invocation)


def recorded(invocation: Invocation) -> tuple[list[RecordedEvent], int | None]:
    """What is recorded of a run so far, and its place in the queue."""
    return selectors.events_after(invocation.pk), place_in_queue(invocation)


def final_turn(invocation_id: int, *, is_end: bool) -> tuple[Invocation, str]:
    """A finished invocation and the message that brings its turn, from what is stored of it."""
    rows = Invocation.objects.select_related("session__agent__runtime", "repeated_from__session")
    invocation = rows.get(pk=invocation_id)
    return invocation, turn_message(render_turn(invocation, selectors.events_after(invocation_id)), is_end=is_end)


def environment_message_now(session_id: int) -> str:
    """What becomes of the environment of a session, as it stands now."""
    session = Session.objects.select_related("agent__runtime").get(pk=session_id)
    return environment_message(session, environment_of(session))


def idle_environment_message(session_id: int) -> str:
    """The same of a session that is not answering; it may have been ended meanwhile."""
    session = Session.objects.select_related("agent__runtime").get(pk=session_id)
    return environment_message(session, idle_environment_of(session))
