"""What runs may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loom_client.models import _Answer
from loom_client.wire import Wire


@dataclass(frozen=True, slots=True)
class Budget(_Answer):
    """What may be spent in each period, in US dollars; of a limit of each run nothing is spent or left."""

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
    state: str
    period_start_at: str | None
    period_end_at: str | None
    channels: tuple[str, ...] = ()


class BudgetCalls(Wire):
    """One method for each thing that the API does with budgets."""

    def budgets(self) -> list[Budget]:
        return [Budget.read(item) for item in self._json("GET", "/budgets")]

    def budget(self, budget_id: int) -> Budget:
        return Budget.read(self._json("GET", f"/budgets/{budget_id}"))

    def make_budget(
        self,
        scope: Literal["agent", "owner", "all"],
        scope_id: int | None,
        *,
        period: Literal["run", "day", "month", "total"],
        limit_usd: float,
        ends_session: bool = False,
        name: str = "",
        channels: Sequence[str] = (),
    ) -> Budget:
        """Limit what the runs of an agent, of a person or of all may cost. `channels` are the names of those of yours
        that are told when most and when all of it is spent.
        """
        body = {
            "scope": scope, "scope_id": scope_id, "period": period, "limit_usd": limit_usd,
            "ends_session": ends_session, "name": name, "channels": list(channels),
        }  # fmt: skip
        return Budget.read(self._json("POST", "/budgets", body))

    def change_budget(self, budget_id: int, **changes: Any) -> Budget:
        """Give it another `limit_usd`, `name`, `ends_session` or `channels`."""
        return Budget.read(self._json("PATCH", f"/budgets/{budget_id}", changes))

    def delete_budget(self, budget_id: int) -> None:
        self._json("DELETE", f"/budgets/{budget_id}")
