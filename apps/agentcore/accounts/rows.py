"""What is shown of accounts: each region with its agents and how looking there went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import Count

from apps.agentcore.models import AccountRegion, AwsAccount, Runtime
from apps.agents.selectors import in_use

State = Literal["ok", "failing", "unchecked", "disabled", "unwatched"]


@dataclass(frozen=True, slots=True)
class RegionRow:
    """A region of an account: its registered agents, and what AWS said when it was last asked.

    `unwatched` is one that has agents, and is not among the regions that are looked at.
    """

    region: str
    agent_count: int
    state: State
    runtime_count: int | None = None
    checked_at: datetime | None = None
    error_code: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account with its regions; `account` is None for that of Loom's own identity."""

    account: AwsAccount | None
    regions: list[RegionRow]

    @property
    def agent_count(self) -> int:
        return sum(row.agent_count for row in self.regions)

    @property
    def state(self) -> State:
        """The worst of its regions."""
        if self.account is not None and not self.account.is_enabled:
            return "disabled"
        states = {row.state for row in self.regions}
        return "failing" if "failing" in states else "ok" if states & {"ok"} else "unchecked"


def account_rows(accounts: Iterable[AwsAccount]) -> list[AccountRow]:
    """The accounts with their regions, in one statement more than reading them."""
    shown = list(accounts)
    counts = _agent_counts()
    return [AccountRow(account, _regions(account, counts)) for account in shown]


def own_row(regions: Iterable[str]) -> AccountRow:
    """What is reached by Loom's own identity, of which no state is kept."""
    counts = _agent_counts()
    found = {region: count for (key, region), count in counts.items() if key is None}
    names = dict.fromkeys([*regions, *sorted(found)])
    return AccountRow(None, [RegionRow(name, found.get(name, 0), "unchecked") for name in names])


def _agent_counts() -> dict[tuple[int | None, str], int]:
    registered = Runtime.objects.filter(in_use("agent__"), agent__removed_at=None).order_by()
    counted = registered.values_list("aws_account", "region").annotate(count=Count("pk"))
    return {(key, region): count for key, region, count in counted}


def _regions(account: AwsAccount, counts: dict[tuple[int | None, str], int]) -> list[RegionRow]:
    watched = {row.region: row for row in account.regions.all()}
    others = {region for key, region in counts if key == account.pk} - watched.keys()
    rows = [_region(account, row, counts.get((account.pk, row.region), 0)) for row in watched.values()]
    return rows + [RegionRow(region, counts[account.pk, region], "unwatched") for region in sorted(others)]


def _region(account: AwsAccount, row: AccountRegion, agent_count: int) -> RegionRow:
    state: State = "ok"
    if not account.is_enabled:
        state = "disabled"
    elif row.checked_at is None:
        state = "unchecked"
    elif row.error_code:
        state = "failing"
    return RegionRow(
        row.region, agent_count, state, row.runtime_count, row.checked_at, row.error_code, row.error_message
    )  # fmt: skip
