"""Why a session or an invocation cannot be started or changed."""

from __future__ import annotations

from http import HTTPStatus

from django.utils.translation import gettext as _

from apps.core.exceptions import ConflictError, InvalidInputError, LoomError


class SessionBusyError(ConflictError):
    """A session answers one prompt at a time."""

    code = "session_busy"
    is_retryable = True

    def __init__(
        self,
        message: str = "This session is answering.",
        *,
        advice: str = "Wait for the answer, stop it, or start another session.",
    ) -> None:
        super().__init__(message, advice=advice)


class SessionStoppingError(SessionBusyError):
    """Its last answer was asked to stop, and has not ended yet."""

    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__(
            "This session is still stopping its last answer.",
            advice="Nothing was sent. Send the prompt again in a moment, or start another session.",
        )


class SessionInUseError(SessionBusyError):
    """Something that goes on counts a run of the session as done, and would send it once more."""

    def __init__(self) -> None:
        super().__init__(
            _("A comparison, a prompt set or Measure start that goes on has sent a run of this session."),
            advice=_("Stop it, or wait until it is over."),
        )


class QueueFullError(ConflictError):
    """As many prompts wait in a session as may."""

    code = "queue_full"
    is_retryable = True

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} prompts wait in this session already, and no more than that may.",
            advice="Nothing was added. Remove one, or wait until one is sent.",
        )


class RequestKeyReusedError(ConflictError):
    """A request key names one request; this one differs from the request it came with first."""

    code = "request_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This was sent before with another content.",
            advice="Nothing was sent now. Reload the page, or use a new key for a new request.",
        )


class ShuttingDownError(LoomError):
    """The process is about to end and takes no new runs."""

    code = "shutting_down"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    is_retryable = True
    retry_after_s = 3

    def __init__(self) -> None:
        super().__init__(
            "Loom is being restarted and takes no new prompts here.",
            advice="Nothing was sent. Try again in a few seconds.",
        )


class AgentUnavailableError(ConflictError):
    """The agent's state does not allow an invocation."""

    code = "agent_unavailable"


class UnknownQualifierError(InvalidInputError):
    """The agent has no endpoint of that name."""

    code = "unknown_qualifier"
