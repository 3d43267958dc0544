"""List the AWS accounts that Loom goes into by a role, check them, and change the list."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.agentcore.accounts import services
from apps.agentcore.accounts.rows import AccountRow, account_rows
from apps.agentcore.models import AwsAccount
from apps.agentcore.selectors import account_named
from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError


class Command(LoomCommand):
    help = "List the AWS accounts that Loom goes into by a role; exit with 1 where one does not answer."
    examples = (
        "--check",
        "--add production --role-arn arn:aws:iam::111122223333:role/loom-access --region us-east-1",
        "--disable production",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--check", action="store_true", help="ask every enabled account first")
        change.add_argument("--add", metavar="NAME", help="go into another account, and ask it")
        for name, text in (
            ("enable", "ask it again from now on"),
            ("disable", "ask nothing of it any more"),
            ("delete", "take it from the list; refused while agents use it"),
        ):
            change.add_argument(f"--{name}", metavar="ACCOUNT", help=f"{text} (name or account id)")
        parser.add_argument("--role-arn", metavar="ARN", default="", help="with --add: the role in that account")
        parser.add_argument(
            "--external-id", metavar="ID", default="", help="with --add: what its trust policy asks for"
        )
        parser.add_argument(
            "--region", action="append", metavar="R", help="with --add, may be repeated; AWS_REGION else"
        )
        parser.add_argument(
            "--hand-back", action="store_true", help="with --delete: its agents go to Loom's own identity"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: object, **options: Any) -> None:
        try:
            self._change(options)
        except LoomError as error:
            raise CommandError(error.text()) from error
        accounts = AwsAccount.objects.filter(origin=settings.LOOM_AWS).prefetch_related("regions")
        rows = account_rows(accounts)
        self.stdout.write(json.dumps(_as_json(rows), indent=2) if options["json"] else _as_text(rows))
        if any(row.state == "failing" for row in rows):
            sys.exit(1)

    def _change(self, options: dict[str, Any]) -> None:
        if options["check"]:
            services.check_accounts(AwsAccount.objects.filter(origin=settings.LOOM_AWS).prefetch_related("regions"))
        elif options["add"]:
            account = services.add_account(
                label=options["add"],
                role_arn=options["role_arn"],
                external_id=options["external_id"],
                regions=options["region"] or [settings.AWS_REGION],
            )
            services.check_account(account)
        elif options["enable"] or options["disable"]:
            account = account_named(options["enable"] or options["disable"])
            services.change_account(account=account, is_enabled=bool(options["enable"]))
        elif options["delete"]:
            services.delete_account(account=account_named(options["delete"]), hands_back=options["hand_back"])


def _as_text(rows: list[AccountRow]) -> str:
    lines = [
        f"{row.account}  {region.region}  {region.state}  {region.agent_count} agents"
        + (f", {region.runtime_count} on AWS" if region.runtime_count is not None else "")
        + (f": {region.error_message}" if region.error_code else "")
        for row in rows
        for region in row.regions
    ]
    return "\n".join(lines) or "Loom goes into no other account."


def _as_json(rows: list[AccountRow]) -> list[dict[str, Any]]:
    return [
        {
            "label": row.account.label,
            "account_id": row.account.account_id,
            "role_arn": row.account.role_arn,
            "state": row.state,
            "regions": [
                {
                    "region": region.region,
                    "state": region.state,
                    "agent_count": region.agent_count,
                    "runtime_count": region.runtime_count,
                    "error_code": region.error_code,
                    "error_message": region.error_message,
                }
                for region in row.regions
            ],
        }
        for row in rows
        if row.account is not None
    ]
