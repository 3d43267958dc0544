"""Taking out, sharing and checking over JSON."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from ninja import Field, Router, Schema, Status
from ninja.params import functions

from apps.accounts.access import may_manage, may_read
from apps.accounts.models import User
from apps.core.exceptions import found
from apps.sessions.api import find_session
from apps.sessions.selectors import invocations_visible_to
from apps.takeout import services
from apps.takeout.evidence.checking import check_evidence
from apps.takeout.evidence.making import evidence_document
from apps.takeout.exporting.downloads import download
from apps.takeout.exporting.formats import run_document, session_document
from apps.takeout.exporting.reading import with_everything
from apps.takeout.models import SharedLink
from apps.takeout.pages.views import loom_url
from apps.takeout.selectors import links_visible_to

router = Router(tags=["sessions"])

_FILE = {"schema": {"type": "string"}}
_DESCRIPTION = "The file, as an attachment."
SESSION_FILES = {
    "responses": {
        200: {"description": _DESCRIPTION, "content": dict.fromkeys(("text/markdown", "text/html"), _FILE)
              | {"application/json": {"schema": {"type": "object"}}}}
    }
}  # fmt: skip
RUN_FILES = {
    "responses": {
        200: {
            "description": _DESCRIPTION,
            "content": dict.fromkeys(("text/markdown", "text/x-shellscript", "text/x-python"), _FILE)
            | {"application/json": {"schema": {"type": "object"}}},
        }
    }
}
_EVIDENCE = {
    "type": "object",
    "properties": {
        **{
            key: {"type": "string", "maxLength": settings.DATA_UPLOAD_MAX_MEMORY_SIZE}
            for key in ("format", "made_at", "signature", "digest")
        },
        **{key: {"type": "object"} for key in ("hashes", "contents")},
    },
}
EVIDENCE_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _EVIDENCE}}}}


class VerdictOut(Schema):
    """What evidence is worth. `figures` and `run` are null where it was altered, and `problems` say where."""

    is_intact: bool
    is_signed_here: bool = Field(description="A Loom with this one's key made it; false too where it was altered.")
    figures: dict[str, Any] | None = Field(description="Computed now, from its contents alone; milliseconds.")
    are_figures_same: bool | None = Field(description="They come out as they did when it was made.")
    run: dict[str, Any] | None
    made_at: str
    problems: list[str]


class ShareIn(Schema):
    days: int = Field(services.DEFAULT_DAYS, ge=1, le=services.MOST_DAYS)


class SharedLinkOut(Schema):
    """A link to read a session without signing in. Its address is told once, when it is made."""

    id: int
    begins_with: str
    made_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_opened_at: datetime | None
    url: str = Field("", description="Where the session is read; empty but in the answer that makes it.")


def link_out(link: SharedLink, url: str = "") -> dict[str, Any]:
    return {
        "id": link.pk,
        "begins_with": link.shown,
        "made_by": str(link.made_by),
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "revoked_at": link.revoked_at,
        "last_opened_at": link.last_opened_at,
        "url": url,
    }


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}/export",
    auth=may_read,
    openapi_extra=SESSION_FILES,
    summary="Take out a session as a file",
)
def export_session(
    request: HttpRequest,
    agent_id: int,
    session_id: str,
    format: Literal["markdown", "json", "html"] = functions.Query("markdown"),
) -> HttpResponseBase:
    """Everything that is stored of it: prompts, answers, figures; as JSON also the recordings."""
    return download(request, session_document(find_session(request.user, agent_id, session_id), format))


@router.get("/runs/{int:run_id}/export", auth=may_read, openapi_extra=RUN_FILES, summary="Take out a run as a file")
def export_run(
    request: HttpRequest,
    run_id: int,
    format: Literal["evidence", "json", "markdown", "curl", "boto3", "cli", "loom_client"] = functions.Query(
        "json", description="`evidence` asks CloudWatch for the run's lines."
    ),
) -> HttpResponseBase:
    """As Markdown, as JSON with its recording, as evidence, or as a program that sends it again."""
    runs = with_everything(invocations_visible_to(request.user))
    run = found(runs.filter(pk=run_id).first(), "run", run_id)
    if format == "evidence":
        return download(request, evidence_document(run))
    return download(request, run_document(run, format, loom_url=loom_url(request)))


@router.post(
    "/evidence", auth=may_read, response=VerdictOut, openapi_extra=EVIDENCE_BODY, summary="Check evidence of a run"
)
def check(request: HttpRequest) -> dict[str, Any]:
    """Send the file as it was downloaded, or its JSON as a program writes it. Nothing of it is stored."""
    verdict = check_evidence(request.body)
    return {name: getattr(verdict, name) for name in VerdictOut.model_fields}


@router.get(
    "/agents/{int:agent_id}/sessions/{session_id}/links",
    auth=may_read,
    response=list[SharedLinkOut],
    summary="List the shared links of a session",
)
def list_links(request: HttpRequest, agent_id: int, session_id: str) -> list[dict[str, Any]]:
    """The newest first, those that are no longer good for a month."""
    session = find_session(request.user, agent_id, session_id)
    return [link_out(link) for link in links_visible_to(request.user).filter(session=session)]


@router.post(
    "/agents/{int:agent_id}/sessions/{session_id}/links",
    auth=may_manage,
    response={201: SharedLinkOut},
    summary="Share a session by a link",
)
def make_link(request: HttpRequest, agent_id: int, session_id: str, body: ShareIn) -> Status[dict[str, Any]]:
    """Whoever has the address reads the session, signed in or not, until it expires or is revoked."""
    session = find_session(request.user, agent_id, session_id)
    user: User = request.auth  # type: ignore[attr-defined]
    link, secret = services.share_session(session=session, user=user, days=body.days)
    return Status(HTTPStatus.CREATED, link_out(link, f"{loom_url(request)}/shared/{secret}/"))


@router.delete(
    "/agents/{int:agent_id}/sessions/{session_id}/links/{int:link_id}",
    auth=may_manage,
    response={204: None},
    summary="Revoke a shared link",
)
def revoke_link(request: HttpRequest, agent_id: int, session_id: str, link_id: int) -> Status[None]:
    """Refused from now on, whoever has it."""
    session = find_session(request.user, agent_id, session_id)
    links = links_visible_to(request.user).filter(session=session)
    user: User = request.auth  # type: ignore[attr-defined]
    services.revoke_link(link=found(links.filter(pk=link_id).first(), "link", link_id), user=user)
    return Status(HTTPStatus.NO_CONTENT, None)
