"""Say what Loom may do on AWS, and which policy statement grants what it may not."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.agentcore.aws.connection import connection_through, current_connection
from apps.agentcore.selectors import account_named
from apps.aws.arn import InvalidArnError
from apps.awsverify.permissions.check import check_aws
from apps.awsverify.permissions.text import as_json, as_text
from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError


class Command(LoomCommand):
    help = (
        "Check credentials, permissions, agents and their logs by reading only; exit with 1 where something is missing."
    )
    examples = (
        "",
        "--agent travel_concierge --json",
        "--account production",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agent", help="name or ARN; without it every registered agent is checked")
        parser.add_argument("--region", help="where agents are looked for, instead of AWS_REGION")
        parser.add_argument("--account", help="name or id of an AWS account in the list: that one alone, by its role")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: object, **options: Any) -> None:
        connection, account, regions = current_connection(), None, []
        try:
            if options["account"] is not None:
                account = account_named(options["account"])
                connection, regions = connection_through(account), [row.region for row in account.regions.all()]
            if options["region"] is not None:
                connection, regions = replace(connection, region=options["region"]), []
            report = check_aws(connection, options["agent"], account=account, regions=regions)
        except LoomError as error:
            raise CommandError(error.text()) from error
        except InvalidArnError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_as_json_text(as_json(report)) if options["json"] else as_text(report))
        if not report.is_ok:
            sys.exit(1)


def _as_json_text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
