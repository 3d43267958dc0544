"""Why a session or an invocation cannot be started."""

from __future__ import annotations

from apps.core.exceptions import ConflictError, InvalidInputError


class SessionBusyError(ConflictError):
    """A session answers one prompt at a time."""

    code = "session_busy"

    def __init__(self) -> None:
        super().__init__("This session is answering.", advice="Wait for the answer, stop it, or start another session.")


class AgentUnavailableError(ConflictError):
    """The agent's state does not allow an invocation."""

    code = "agent_unavailable"


class UnknownQualifierError(InvalidInputError):
    """The agent has no endpoint of that name."""

    code = "unknown_qualifier"
