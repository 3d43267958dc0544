"""Why something cannot be taken out, or what was brought back cannot be read."""

from __future__ import annotations

from http import HTTPStatus

from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInputError, LoomError


class UnknownFormatError(InvalidInputError):
    """There is no such format."""

    code = "unknown_format"

    @classmethod
    def among(cls, name: str, known: list[str]) -> UnknownFormatError:
        return cls(_("There is no format %(name)s.") % {"name": name[:40]}, advice=f"One of: {', '.join(known)}.")


class ContentRemovedError(LoomError):
    """What was sent is gone, so that nothing can send it again."""

    code = "content_removed"
    http_status = HTTPStatus.GONE

    def __init__(self) -> None:
        super().__init__(_("The content of this run was removed, as its retention asks."))


class NotOnAgentCoreError(InvalidInputError):
    """Only AgentCore's agents have an ARN to send to."""

    code = "not_on_agentcore"

    def __init__(self) -> None:
        super().__init__(_("This agent is not on AgentCore: it has no ARN."), advice=_("Take curl or loom_client."))


class NotFinishedError(LoomError):
    """The run goes on, so that nothing about it is certain."""

    code = "not_finished"
    http_status = HTTPStatus.CONFLICT

    def __init__(self) -> None:
        super().__init__(_("This run is not over yet."), advice=_("Wait for its end, then ask again."))


class EvidenceError(LoomError):
    """What was given is no evidence of a run, or cannot be read as one."""

    code = "no_evidence"
    http_status = HTTPStatus.UNPROCESSABLE_ENTITY
