"""Say what Loom may do on AWS, and which policy statement grants what it may not."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from django.core.management.base import CommandError, CommandParser

from apps.agentcore.aws.connection import current_connection
from apps.aws.arn import InvalidArnError
from apps.awsverify.permissions.check import check_aws
from apps.awsverify.permissions.text import as_json, as_text
from apps.core.commands import LoomCommand


class Command(LoomCommand):
    help = (
        "Check credentials, permissions, agents and their logs by reading only; exit with 1 where something is missing."
    )
    examples = (
        "",
        "--agent travel_concierge --json",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agent", help="name or ARN; without it every registered agent is checked")
        parser.add_argument("--region", help="where agents are looked for, instead of AWS_REGION")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(
        self, *args: object, agent: str | None = None, region: str | None = None, json: bool = False, **options: object
    ) -> None:
        connection = current_connection()
        if region is not None:
            connection = replace(connection, region=region)
        try:
            report = check_aws(connection, agent)
        except InvalidArnError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_as_json_text(as_json(report)) if json else as_text(report))
        if not report.is_ok:
            sys.exit(1)


def _as_json_text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
