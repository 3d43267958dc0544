"""What is done to several runs at once, over JSON: tagged, or deleted."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Router, Schema

from apps.accounts.access import may_invoke, may_manage
from apps.core.exceptions import MissingError
from apps.core.models import Tag
from apps.sessions.models import Invocation
from apps.sessions.selectors import invocations_visible_to
from apps.sessions.services import delete_invocations, tag_invocations, untag_invocations

router = Router(tags=["runs"])

MOST = 200  # as many as an answer of the list holds
Key = Annotated[int, Field(ge=1, le=2**63 - 1)]


class RunsIn(Schema, extra="forbid"):
    """The ids of runs. Where one of them is not there, nothing is done to any."""

    run_ids: list[Key] = Field(min_length=1, max_length=MOST)


class RunsTagIn(RunsIn):
    tag: str = Field(max_length=Tag.NAME_LENGTH)


class RunsTaggedOut(Schema):
    """`tag` as it is called: one tag is one whatever its capital letters. `run_ids` have it now."""

    tag: str
    run_ids: list[int]


class RunsUntaggedOut(Schema):
    """`count` of the runs had it."""

    count: int


class RunsDeletedOut(Schema):
    """`kept` are those that are not over, or that something which goes on has sent."""

    deleted: list[int]
    kept: list[int]


def _runs(request: HttpRequest, keys: list[int]) -> list[Invocation]:
    wanted = list(dict.fromkeys(keys))
    runs = invocations_visible_to(request.user, "manage").defer("response_text", "payload").in_bulk(wanted)
    for key in wanted:
        if key not in runs:
            raise MissingError.of("run", key)
    return [runs[key] for key in wanted]


@router.post("/runs/tag", auth=may_invoke, response=RunsTaggedOut, summary="Tag runs")
def tag_runs(request: HttpRequest, body: RunsTagIn) -> dict[str, Any]:
    """All of them or, where one has no room for another tag, none; those that have it keep it."""
    runs = _runs(request, body.run_ids)
    return {"tag": tag_invocations(invocations=runs, name=body.tag), "run_ids": [run.pk for run in runs]}


@router.post("/runs/untag", auth=may_invoke, response=RunsUntaggedOut, summary="Take a tag from runs")
def untag_runs(request: HttpRequest, body: RunsTagIn) -> dict[str, int]:
    """Their own; that of a session stays."""
    return {"count": untag_invocations(invocations=_runs(request, body.run_ids), name=body.tag)}


@router.post("/runs/delete", auth=may_manage, response=RunsDeletedOut, summary="Delete runs")
def delete_runs(request: HttpRequest, body: RunsIn) -> dict[str, list[int]]:
    """With their prompts, answers, recordings and measurements; their sessions stay, and nothing on AWS is touched."""
    runs = _runs(request, body.run_ids)
    gone = delete_invocations(invocations=runs)
    return {
        "deleted": [run.pk for run in runs if run.pk in gone],
        "kept": [run.pk for run in runs if run.pk not in gone],
    }
