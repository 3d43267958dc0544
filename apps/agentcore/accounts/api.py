"""Accounts over JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from apps.accounts.access import may_manage, may_read
from apps.accounts.policy import Action
from apps.agentcore.account_exceptions import AccountRefusedError
from apps.agentcore.accounts import services
from apps.agentcore.accounts.rows import AccountRow, RegionRow, account_rows
from apps.agentcore.accounts.services import EXTERNAL_ID_LENGTH, LABEL_LENGTH, MOST_REGIONS, ROLE_ARN_LENGTH
from apps.agentcore.models import AwsAccount
from apps.agentcore.selectors import accounts_visible_to, may_manage_accounts
from apps.core.exceptions import found

router = Router(tags=["aws accounts"])

_ROLE = "arn:aws:iam::111122223333:role/loom-access"


class AwsAccountIn(Schema):
    """An account: the role that leads there, what its trust policy asks for, and where agents are looked for."""

    label: str = Field(max_length=LABEL_LENGTH, examples=["production"])
    role_arn: str = Field(max_length=ROLE_ARN_LENGTH, examples=[_ROLE])
    external_id: str = Field("", max_length=EXTERNAL_ID_LENGTH)
    regions: list[str] = Field(max_length=MOST_REGIONS, examples=[["us-east-1", "eu-west-1"]])


class AwsAccountChangeIn(Schema):
    """What is not given stays as it is."""

    label: str | None = Field(None, max_length=LABEL_LENGTH)
    role_arn: str | None = Field(None, max_length=ROLE_ARN_LENGTH)
    external_id: str | None = Field(None, max_length=EXTERNAL_ID_LENGTH)
    regions: list[str] | None = Field(None, max_length=MOST_REGIONS)
    is_enabled: bool | None = None


class AwsRegionOut(Schema):
    """A region of an account. `state` is ok, failing, unchecked, disabled, or unwatched: it has agents, and is
    not among the regions that are looked at. `runtime_count` is what AWS listed, null where it did not.
    """

    region: str
    agent_count: int
    state: str
    runtime_count: int | None
    checked_at: datetime | None
    error_code: str
    error_message: str


class AwsAccountOut(Schema):
    """An account with its regions; `state` is that of its worst one. The external id is for who may change it."""

    id: int
    label: str
    account_id: str
    role_arn: str
    external_id: str | None
    is_enabled: bool
    state: str
    agent_count: int
    regions: list[AwsRegionOut]
    created_at: datetime


def _region(row: RegionRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in AwsRegionOut.model_fields}


def _out(request: HttpRequest, row: AccountRow) -> dict[str, Any]:
    account = row.account
    assert account is not None
    return {
        "id": account.pk,
        "label": account.label,
        "account_id": account.account_id,
        "role_arn": account.role_arn,
        "external_id": account.external_id if may_manage_accounts(request.user) else None,
        "is_enabled": account.is_enabled,
        "state": row.state,
        "agent_count": row.agent_count,
        "regions": [_region(region) for region in row.regions],
        "created_at": account.created_at,
    }


def _one(request: HttpRequest, account_key: int, action: Action = "read") -> AwsAccount:
    return found(accounts_visible_to(request.user, action).filter(pk=account_key).first(), "AWS account", account_key)


def _shown(request: HttpRequest, account_key: int) -> dict[str, Any]:
    return _out(request, account_rows([_one(request, account_key)])[0])


@router.get("/aws-accounts", auth=may_read, response=list[AwsAccountOut], summary="List AWS accounts")
def list_aws_accounts(request: HttpRequest) -> list[dict[str, Any]]:
    """Those that Loom goes into by a role, by their names; its own account is not among them."""
    return [_out(request, row) for row in account_rows(accounts_visible_to(request.user))]


@router.post("/aws-accounts", auth=may_manage, response={201: AwsAccountOut}, summary="Add an AWS account")
def add_aws_account(request: HttpRequest, body: AwsAccountIn) -> Any:
    """Registered agents of it are reached by its role from now on. `check` asks AWS. For the staff."""
    _refuse_others(request)
    account = services.add_account(**body.dict())
    return Status(201, _shown(request, account.pk))


@router.get("/aws-accounts/{int:account_key}", auth=may_read, response=AwsAccountOut, summary="Read an AWS account")
def get_aws_account(request: HttpRequest, account_key: int) -> Any:
    return _shown(request, account_key)


@router.patch(
    "/aws-accounts/{int:account_key}", auth=may_manage, response=AwsAccountOut, summary="Change an AWS account"
)
def change_aws_account(request: HttpRequest, account_key: int, body: AwsAccountChangeIn) -> Any:
    """A role of another account is refused. With `is_enabled` false nothing is asked of the account any more."""
    given = {name: value for name, value in body.dict(exclude_unset=True).items() if value is not None}
    services.change_account(account=_one(request, account_key, "manage"), **given)
    return _shown(request, account_key)


@router.delete(
    "/aws-accounts/{int:account_key}", auth=may_manage, response={204: None}, summary="Delete an AWS account"
)
def delete_aws_account(request: HttpRequest, account_key: int, hands_back: bool = False) -> Any:
    """409 while agents use it, unless `hands_back` has them reached by Loom's own identity again."""
    services.delete_account(account=_one(request, account_key, "manage"), hands_back=hands_back)
    return Status(204, None)


@router.post(
    "/aws-accounts/{int:account_key}/check", auth=may_manage, response=AwsAccountOut, summary="Check an AWS account"
)
def check_aws_account(request: HttpRequest, account_key: int) -> Any:
    """Takes on the role and lists the runtimes of each region. What fails is in the answer, with 200."""
    services.check_account(_one(request, account_key, "manage"))
    return _shown(request, account_key)


def _refuse_others(request: HttpRequest) -> None:
    if not may_manage_accounts(request.user):
        raise AccountRefusedError(
            "AWS accounts are added by the staff.", advice="Ask somebody of the staff, who sees the role's rights."
        )
