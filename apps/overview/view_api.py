"""Saved views of the list of runs, over JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, QueryDict
from ninja import Field, Router, Schema, Status

from apps.accounts.access import may_invoke, may_read
from apps.core.exceptions import InvalidInputError, found
from apps.overview import services
from apps.overview.models import SavedView
from apps.overview.runs.asked import QUERY_NAMES, saved_query
from apps.overview.selectors import saved_views_visible_to

router = Router(tags=["runs"])


class SavedViewIn(Schema, extra="forbid"):
    name: str = Field(max_length=SavedView.NAME_LENGTH, description="A view of this name is replaced.")
    query: str = Field(
        "",
        max_length=SavedView.QUERY_LENGTH,
        description="As in the address of the list of runs: `status=failed&q=rate+table`.",
    )


class SavedViewOut(Schema):
    """A list of runs under a name; `url` is the list's page."""

    id: int
    name: str
    query: str
    url: str
    created_at: datetime


def _view_out(view: SavedView) -> dict[str, Any]:
    return {
        "id": view.pk,
        "name": view.name,
        "query": view.query,
        "url": view.get_absolute_url(),
        "created_at": view.created_at,
    }


@router.get("/views", auth=may_read, response=list[SavedViewOut], summary="List your saved views of the runs")
def list_views(request: HttpRequest) -> list[dict[str, Any]]:
    """By their names; nobody else's."""
    return [_view_out(view) for view in saved_views_visible_to(request.user)]


@router.post("/views", auth=may_invoke, response={201: SavedViewOut}, summary="Save a view of the runs")
def save_view(request: HttpRequest, body: SavedViewIn) -> Status[dict[str, Any]]:
    """What is asked for, and not the page: `after` is left out."""
    query = QueryDict(body.query.removeprefix("?"))
    if unknown := sorted(set(query) - {*QUERY_NAMES, "after"}):
        raise InvalidInputError(
            f"The list of runs cannot be asked for {unknown[0][:60]!r}.", advice=f"It takes {', '.join(QUERY_NAMES)}."
        )
    user: Any = request.user  # signed in, or the route was not reached
    return Status(201, _view_out(services.save_view(owner=user, name=body.name, query=saved_query(query))))


@router.delete("/views/{int:view_id}", auth=may_invoke, response={204: None}, summary="Remove a saved view")
def remove_view(request: HttpRequest, view_id: int) -> Status[None]:
    """No run is touched."""
    view = found(saved_views_visible_to(request.user).filter(pk=view_id).first(), "view", view_id)
    services.remove_view(view=view)
    return Status(204, None)
