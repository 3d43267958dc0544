"""Whose log lines somebody may read, on a page and over the API."""

from __future__ import annotations

from apps.accounts.policy import Subject, decide, visible
from apps.agents.models import Agent
from apps.sessions.models import Session


def ids_shown_to(subject: Subject, agent: Agent) -> frozenset[str] | None:
    """The runtime session ids whose lines of an agent may be shown: None for all, else those of the own sessions.

    Lines may quote what was said to an agent that several people use.
    """
    if decide(subject, "read all lines", agent):
        return None
    own = Session.objects.filter(visible(subject, Session), agent=agent)
    return frozenset(own.values_list("runtime_session_id", flat=True))
