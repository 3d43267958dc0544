"""The accounts on AWS that Loom goes into by a role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loom_client.models import _Answer
from loom_client.wire import Wire


@dataclass(frozen=True, slots=True)
class AwsAccount(_Answer):
    """An account; `regions` are as the API gives them, with the state of each. The external id is None for who may not
    change it.
    """

    id: int
    label: str
    account_id: str
    role_arn: str
    external_id: str | None
    is_enabled: bool
    state: str
    agent_count: int
    regions: Sequence[dict[str, Any]]
    created_at: str


class AccountCalls(Wire):
    """One method for each thing that the API does with accounts."""

    def aws_accounts(self) -> list[AwsAccount]:
        return [AwsAccount.read(item) for item in self._json("GET", "/aws-accounts")]

    def aws_account(self, account_key: int) -> AwsAccount:
        return AwsAccount.read(self._json("GET", f"/aws-accounts/{account_key}"))

    def add_aws_account(
        self, label: str, role_arn: str, regions: Sequence[str], *, external_id: str = ""
    ) -> AwsAccount:
        """Have Loom go into an account; `check_aws_account` tells whether it gets in."""
        body = {"label": label, "role_arn": role_arn, "external_id": external_id, "regions": list(regions)}
        return AwsAccount.read(self._json("POST", "/aws-accounts", body))

    def change_aws_account(self, account_key: int, **changes: Any) -> AwsAccount:
        """Give it another `label`, `role_arn`, `external_id`, `regions` or `is_enabled`."""
        return AwsAccount.read(self._json("PATCH", f"/aws-accounts/{account_key}", changes))

    def delete_aws_account(self, account_key: int, *, hands_back: bool = False) -> None:
        """Refused while agents use it, unless it `hands_back` them to Loom's own identity."""
        query = "?hands_back=true" if hands_back else ""
        self._json("DELETE", f"/aws-accounts/{account_key}{query}")

    def check_aws_account(self, account_key: int) -> AwsAccount:
        """Have Loom take on the role and list each region's runtimes; what fails is in the answer."""
        return AwsAccount.read(self._json("POST", f"/aws-accounts/{account_key}/check"))
