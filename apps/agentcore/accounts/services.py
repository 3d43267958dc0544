"""Which accounts Loom goes into, and by which roles."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.agentcore.account_exceptions import AccountExistsError, AccountInUseError
from apps.agentcore.importing.discovery import Place, look_at
from apps.agentcore.models import AccountRegion, AwsAccount
from apps.agentcore.runtime_rows import attach_to_account
from apps.aws.arn import is_valid_region
from apps.aws.roles import InvalidRoleError, Role
from apps.core.exceptions import InvalidInputError

logger = logging.getLogger(__name__)

LABEL_LENGTH = 60
ROLE_ARN_LENGTH = 640
EXTERNAL_ID_LENGTH = 1224
MOST_REGIONS = 40
CHANGEABLE = ("label", "role_arn", "external_id", "is_enabled")


def add_account(*, label: str, role_arn: str, regions: Sequence[str], external_id: str = "") -> AwsAccount:
    """Have Loom go into an account by a role; agents of it that are registered are reached by that from now on.

    Asks AWS nothing: `check_account` does. Raises InvalidInputError and AccountExistsError.
    """
    role = _checked_role(role_arn, external_id)
    account = AwsAccount(
        origin=settings.LOOM_AWS, label=_checked_label(label), account_id=role.account_id, role_arn=role.arn,
        external_id=role.external_id,
    )  # fmt: skip
    names = _checked_regions(regions)
    with _unique(account), transaction.atomic():
        account.save(force_insert=True)
        _store_regions(account, names)
        count = attach_to_account(account)
    logger.info("aws account added id=%s agents=%s", account.pk, count)
    return account


def change_account(*, account: AwsAccount, regions: Sequence[str] | None = None, **changes: Any) -> AwsAccount:
    """Change what is given of an account: `label`, `role_arn`, `external_id`, `regions`, `is_enabled`.

    A role of another account is refused: the agents would go with it. What is under way ends as it began. Raises
    InvalidInputError and AccountExistsError.
    """
    assert set(changes) <= set(CHANGEABLE)
    for name, value in changes.items():
        setattr(account, name, value)
    role = _checked_role(account.role_arn, account.external_id)
    if role.account_id != account.account_id:
        raise InvalidInputError(
            _("This role is in the account %(other)s, not in %(account)s.")
            % {"other": role.account_id, "account": account.account_id},
            advice=_("Add it as an account of its own."),
        )
    account.role_arn, account.external_id, account.label = role.arn, role.external_id, _checked_label(account.label)
    names = None if regions is None else _checked_regions(regions)
    with _unique(account), transaction.atomic():
        account.save(update_fields=CHANGEABLE)
        if names is not None:
            _store_regions(account, names)
    logger.info("aws account changed id=%s", account.pk)
    return account


def delete_account(*, account: AwsAccount, hands_back: bool = False) -> None:
    """Go into an account no more. Refused while agents use it, unless it `hands_back` them to Loom's own identity.

    Raises AccountInUseError.
    """
    with transaction.atomic():
        AwsAccount.objects.select_for_update().get(pk=account.pk)
        count = account.runtimes.filter(agent__removed_at=None).count()
        if count and not hands_back:
            raise AccountInUseError(count)
        key = account.pk
        account.delete()
    logger.info("aws account deleted id=%s agents=%s", key, count)


def check_account(account: AwsAccount) -> AwsAccount:
    """Take on the role and list the runtimes of each region, and keep how that went. Blocks; raises nothing of AWS."""
    check_accounts([account])
    return account


def check_accounts(accounts: Iterable[AwsAccount]) -> None:
    """The same for several, side by side: one that fails keeps none of the others."""
    enabled = [account for account in accounts if account.is_enabled]
    look_at(Place(account, row.region) for account in enabled for row in account.regions.all())


def _checked_label(label: str) -> str:
    label = label.strip()
    if not 0 < len(label) <= LABEL_LENGTH or not label.isprintable():
        raise InvalidInputError(_("A name has 1 to %(most)d characters on one line.") % {"most": LABEL_LENGTH})
    return label


def _checked_role(role_arn: str, external_id: str) -> Role:
    try:
        return Role(role_arn.strip(), external_id.strip())
    except InvalidRoleError as error:
        raise InvalidInputError(str(error)) from error


def _checked_regions(regions: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(regions))
    for name in names:
        if not is_valid_region(name):
            raise InvalidInputError(_("%(name)r is not an AWS region.") % {"name": name[:40]},
                                    advice=_("Write it like us-east-1."))  # fmt: skip
    if not 0 < len(names) <= MOST_REGIONS:
        raise InvalidInputError(_("Name 1 to %(most)d regions.") % {"most": MOST_REGIONS})
    return names


def _store_regions(account: AwsAccount, names: Sequence[str]) -> None:
    account.regions.exclude(region__in=names).delete()
    AccountRegion.objects.bulk_create(
        (AccountRegion(account=account, region=name) for name in names), ignore_conflicts=True
    )


@contextmanager
def _unique(account: AwsAccount) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise AccountExistsError(account.account_id, account.label) from None
