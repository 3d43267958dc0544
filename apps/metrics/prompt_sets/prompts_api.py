"""The prompts of a set over JSON: added, changed, moved, removed, and all of them as a file."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest, HttpResponseBase
from ninja import Field, Router, Schema, Status
from ninja.params import functions

from apps.accounts.access import may_invoke, may_read
from apps.agents.forms import PROMPT_MAX_LENGTH
from apps.core.exceptions import InvalidInputError, found
from apps.metrics.models import PromptSet, PromptSetItem
from apps.metrics.prompt_sets import editing, services
from apps.metrics.prompt_sets.api import check_one_given, find_set, prompt_out, prompts_given, set_detail_out
from apps.metrics.prompt_sets.files import csv_file, jsonl_file
from apps.metrics.prompt_sets.reading import MAX_PROMPTS, prompt_of
from apps.metrics.prompt_sets.shapes import PromptOut, PromptSetDetailOut, PromptsIn

router = Router(tags=["prompt sets"])

ONE = "/prompt-sets/{int:set_id}/prompts/{int:item_id}"
_FILE = {"schema": {"type": "string"}}
FILES = {
    "responses": {
        200: {
            "description": "The set, as an attachment.",
            "content": {"application/jsonl": _FILE, "text/csv": _FILE},
        }
    }
}


class PromptChangeIn(Schema, extra="forbid"):
    """What is not named stays as it is."""

    prompt: str | None = Field(None, max_length=PROMPT_MAX_LENGTH)
    checks: list[dict[str, Any]] | None = None
    position: int | None = Field(None, ge=1, le=MAX_PROMPTS, description="From 1; beyond the last it is the last.")
    mark: str | None = Field(
        None, max_length=editing.MARK_LENGTH, description="What was looked at; refused where it is another by now."
    )


def _find(request: HttpRequest, set_id: int, item_id: int) -> tuple[PromptSet, PromptSetItem]:
    prompt_set = find_set(request, set_id)
    item = prompt_set.items.filter(pk=item_id).first() if item_id < 2**63 else None
    return prompt_set, found(item, "prompt", item_id, within=f"in prompt set {set_id}")


@router.post(
    "/prompt-sets/{int:set_id}/prompts",
    auth=may_invoke,
    response={201: PromptSetDetailOut},
    summary="Add prompts to a set",
)
def add_prompts(request: HttpRequest, set_id: int, body: PromptsIn) -> Any:
    """At its end, all or none. Of past runs, one that the set has a prompt of already is left out."""
    prompt_set = find_set(request, set_id)
    check_one_given(body)
    if body.run_ids is not None:
        user: Any = request.user  # signed in, or the route was not reached
        services.add_runs(prompt_set=prompt_set, user=user, run_ids=body.run_ids)
    else:
        prompts = prompts_given(body)
        if not prompts:
            raise InvalidInputError("There is no prompt to add.")
        editing.add_prompts(prompt_set=prompt_set, prompts=prompts)
    return Status(201, set_detail_out(prompt_set))


@router.patch(ONE, auth=may_invoke, response=PromptOut, summary="Change or move a prompt of a set")
def change_prompt(request: HttpRequest, set_id: int, item_id: int, body: PromptChangeIn) -> Any:
    """409 `changed_meanwhile` where somebody else has changed it since it had this `mark`."""
    prompt_set, item = _find(request, set_id, item_id)
    if body.prompt is not None or body.checks is not None:
        prompt = prompt_of(
            {
                "prompt": item.prompt if body.prompt is None else body.prompt,
                "checks": item.checks if body.checks is None else body.checks,
            }
        )
        mark = editing.mark_of(item) if body.mark is None else body.mark
        editing.change_prompt(prompt_set=prompt_set, item_id=item_id, prompt=prompt, mark=mark)
    if body.position is not None:
        editing.move_prompt(prompt_set=prompt_set, item_id=item_id, to=body.position)
    return prompt_out(_find(request, set_id, item_id)[1])


@router.delete(ONE, auth=may_invoke, response={204: None}, summary="Remove a prompt from a set")
def remove_prompt(
    request: HttpRequest,
    set_id: int,
    item_id: int,
    mark: str | None = functions.Query(None, max_length=editing.MARK_LENGTH, description="As of a change."),
) -> Status[None]:
    """What plans have found of it stays. The last one cannot be removed: delete the set."""
    prompt_set, item = _find(request, set_id, item_id)
    editing.remove_prompt(prompt_set=prompt_set, item_id=item_id, mark=editing.mark_of(item) if mark is None else mark)
    return Status(204, None)


@router.get(
    "/prompt-sets/{int:set_id}/export", auth=may_read, openapi_extra=FILES, summary="Take out a prompt set as a file"
)
def export_prompt_set(
    request: HttpRequest, set_id: int, format: Literal["jsonl", "csv"] = functions.Query("jsonl")
) -> HttpResponseBase:
    """As JSONL, which is the same set when it is read again, or as a spreadsheet reads it."""
    return (csv_file if format == "csv" else jsonl_file)(request, find_set(request, set_id))
