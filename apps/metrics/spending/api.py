"""Budgets over JSON."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from apps.accounts.access import may_manage, may_read
from apps.core.exceptions import found
from apps.costs.models import Budget
from apps.metrics.alerts.selectors import channels_visible_to
from apps.metrics.spending import budgets
from apps.metrics.spending.budgets import NAME_LENGTH
from apps.metrics.spending.selectors import SHOWN, BudgetState, budget_states, scoped_budgets_visible_to

TOLD = "Names of your alert channels: told when most and when all of it is spent."
MOST_CHANNELS = 50
ChannelName = Annotated[str, Field(max_length=60)]

router = Router(tags=["budgets"])


class BudgetIn(Schema):
    """What may be spent. `scope_id` is the key of the agent or of the person, and null for `all`."""

    scope: Literal["agent", "owner", "all"]
    scope_id: int | None = None
    period: Literal["run", "day", "month", "total"]
    limit_usd: Decimal = Field(gt=0)
    ends_session: bool = False
    name: str = Field("", max_length=NAME_LENGTH)
    channels: list[ChannelName] = Field([], max_length=MOST_CHANNELS, description=TOLD)


class BudgetChangeIn(Schema):
    """What is not given stays as it is."""

    limit_usd: Decimal | None = Field(None, gt=0)
    ends_session: bool | None = None
    name: str | None = Field(None, max_length=NAME_LENGTH)
    channels: list[ChannelName] | None = Field(None, max_length=MOST_CHANNELS, description=TOLD)


class BudgetOut(Schema):
    """A budget in its present period (of UTC). For a limit of each run, what is spent and left is null."""

    id: int
    name: str
    owner: str
    scope: str
    scope_id: int | None
    scope_name: str
    period: str
    limit_usd: float
    ends_session: bool
    spent_usd: float | None
    left_usd: float | None
    state: Literal["open", "nearly spent", "spent"]
    channels: list[str]
    period_start_at: datetime | None
    period_end_at: datetime | None
    created_at: datetime


def _out(state: BudgetState) -> dict[str, Any]:
    budget = state.budget
    return {
        "id": budget.pk,
        "name": budget.name,
        "owner": budget.owner.email,
        "scope": budget.scope,
        "scope_id": budget.scope_id,
        "scope_name": state.scope_name,
        "period": budget.period,
        "limit_usd": budget.limit_usd,
        "ends_session": budget.ends_session,
        "spent_usd": state.spent_usd,
        "left_usd": state.left_usd,
        "state": state.state,
        "channels": list(state.channels),
        "period_start_at": state.start_at,
        "period_end_at": state.end_at,
        "created_at": budget.created_at,
    }


def _one(budget: Budget) -> dict[str, Any]:
    return _out(budget_states([budget])[0])


def _find(request: HttpRequest, budget_id: int) -> Budget:
    return found(scoped_budgets_visible_to(request.user).filter(pk=budget_id).first(), "budget", budget_id)


def _with_channels(request: HttpRequest, values: dict[str, Any], budget: Budget | None = None) -> dict[str, Any]:
    """The names as one's own channels, or those that the budget has already. Raises MissingError."""
    if values.get("channels") is None:
        return values
    known = {channel.name: channel for channel in budgets.channels_of(budget)} if budget else {}
    known |= {channel.name: channel for channel in channels_visible_to(request.user)}
    return values | {
        "channels": [found(known.get(name), "alert channel", name) for name in dict.fromkeys(values["channels"])]
    }


@router.get("/budgets", auth=may_read, response=list[BudgetOut], summary="List budgets")
def list_budgets(request: HttpRequest) -> list[dict[str, Any]]:
    """The newest 200 that you may see, the newest first, each with what is spent of it."""
    return [_out(state) for state in budget_states(scoped_budgets_visible_to(request.user)[:SHOWN])]


@router.post("/budgets", auth=may_manage, response={201: BudgetOut}, summary="Make a budget")
def make_budget(request: HttpRequest, body: BudgetIn) -> Any:
    """It holds from now on, and counts what was spent in its period before. Your own runs (`scope: owner`) anybody may
    limit, everything else the staff.
    """
    owner: Any = request.user  # signed in, or the route was not reached
    return Status(201, _one(budgets.limit_spending(owner=owner, **_with_channels(request, body.dict()))))


@router.get("/budgets/{int:budget_id}", auth=may_read, response=BudgetOut, summary="Read a budget")
def get_budget(request: HttpRequest, budget_id: int) -> Any:
    return _one(_find(request, budget_id))


@router.patch("/budgets/{int:budget_id}", auth=may_manage, response=BudgetOut, summary="Change a budget")
def change_budget(request: HttpRequest, budget_id: int, body: BudgetChangeIn) -> Any:
    """A higher limit lets runs begin again at once."""
    budget = _find(request, budget_id)
    return _one(budgets.change_budget(budget=budget, **_with_channels(request, body.dict(exclude_unset=True), budget)))


@router.delete("/budgets/{int:budget_id}", auth=may_manage, response={204: None}, summary="Delete a budget")
def delete_budget(request: HttpRequest, budget_id: int) -> Any:
    """What it held is not limited any more."""
    budgets.delete_budget(budget=_find(request, budget_id))
    return Status(204, None)
