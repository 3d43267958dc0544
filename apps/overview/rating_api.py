"""What somebody thinks of an answer, over JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from apps.accounts.access import may_invoke, may_read
from apps.core.exceptions import found
from apps.overview import services
from apps.overview.models import Rating
from apps.overview.selectors import ratings_visible_to
from apps.sessions.models import Invocation
from apps.sessions.selectors import invocations_visible_to

router = Router(tags=["runs"])


class RatingIn(Schema, extra="forbid"):
    """A thumb, a note, or both, in place of what you thought before; neither takes the rating back."""

    thumb: Literal["", "up", "down"] = ""
    note: str = Field("", max_length=Rating.NOTE_LENGTH)


class RatingOut(Schema):
    """Your rating of a run; both empty and `rated_at` null where you have none."""

    run_id: int
    thumb: Literal["", "up", "down"]
    note: str
    rated_at: datetime | None


def _run(request: HttpRequest, run_id: int) -> Invocation:
    runs = invocations_visible_to(request.user).defer("response_text", "payload")
    return found(runs.filter(pk=run_id).first(), "run", run_id)


def _rating_out(run: Invocation, rating: Rating | None) -> dict[str, Any]:
    return {
        "run_id": run.pk,
        "thumb": rating.thumb if rating else "",
        "note": rating.note if rating else "",
        "rated_at": rating.rated_at if rating else None,
    }


@router.get("/runs/{int:run_id}/rating", auth=may_read, response=RatingOut, summary="Read your rating of a run")
def get_rating(request: HttpRequest, run_id: int) -> dict[str, Any]:
    run = _run(request, run_id)
    return _rating_out(run, ratings_visible_to(request.user).filter(owner_id=request.user.pk, invocation=run).first())


@router.put("/runs/{int:run_id}/rating", auth=may_invoke, response=RatingOut, summary="Rate the answer of a run")
def rate_run(request: HttpRequest, run_id: int, body: RatingIn) -> dict[str, Any]:
    """One for each person and run: what you thought before is replaced, the note as well."""
    run = _run(request, run_id)
    user: Any = request.user  # signed in, or the route was not reached
    return _rating_out(run, services.rate_run(owner=user, run=run, thumb=body.thumb, note=body.note))


@router.delete("/runs/{int:run_id}/rating", auth=may_invoke, response={204: None}, summary="Take back your rating")
def remove_rating(request: HttpRequest, run_id: int) -> Status[None]:
    """It is no error where there is none."""
    user: Any = request.user  # signed in, or the route was not reached
    services.rate_run(owner=user, run=_run(request, run_id), thumb="", note="")
    return Status(204, None)
