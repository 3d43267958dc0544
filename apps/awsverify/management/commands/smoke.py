"""Try one real agent with everything that Loom does, and write down what was seen."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.agentcore.connection import current_connection
from apps.aws.arn import DEFAULT_QUALIFIER, InvalidArnError, RuntimeArn, is_valid_qualifier
from apps.aws.connection import Connection
from apps.aws.control import list_runtimes
from apps.aws.errors import AwsError
from apps.awsverify.permissions.choice import Choice, choose_by_arn, is_arn, registered
from apps.awsverify.smoke.plan import LOG_WAIT_S, POLL_EVERY_S, SmokePlan
from apps.awsverify.smoke.report import write_report
from apps.awsverify.smoke.run import run_smoke


class Command(BaseCommand):
    help = "Invoke one agent for real, measure it, read its log and write a report; exit with 1 where a step failed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agent", required=True, help="name or ARN")
        parser.add_argument("--qualifier", help="endpoint; DEFAULT, or the one in the ARN")
        parser.add_argument("--region", help="where the agent's name is looked up, instead of AWS_REGION")
        parser.add_argument("--prompts", type=int, default=2, help="prompts of the conversation, the first one cold")
        parser.add_argument("--max-invocations", type=int, default=6, help="no more prompts than this are ever sent")
        parser.add_argument("--log-wait", type=float, default=LOG_WAIT_S, help="seconds to wait for log lines")
        parser.add_argument("--poll-every", type=float, default=POLL_EVERY_S, help="seconds between log readings")
        parser.add_argument(
            "--report",
            type=Path,
            default=settings.BASE_DIR / "build" / "smoke",
            help="folder for the report's two files",
        )
        parser.add_argument("--with-account", action="store_true", help="leave account ids in the report")

    def handle(
        self,
        *args: object,
        agent: str,
        qualifier: str | None,
        region: str | None,
        prompts: int,
        max_invocations: int,
        log_wait: float,
        poll_every: float,
        report: Path,
        with_account: bool,
        **options: object,
    ) -> None:
        if prompts < 1 or max_invocations < 1 or log_wait < 0 or poll_every <= 0:
            raise CommandError("--prompts and --max-invocations begin at 1, --log-wait at 0; --poll-every is above 0.")
        connection = current_connection()
        if region is not None:
            connection = replace(connection, region=region)
        choice = choose(connection, agent)
        qualifier = qualifier or choice.arn.qualifier or DEFAULT_QUALIFIER
        if not is_valid_qualifier(qualifier):
            raise CommandError("--qualifier must be the name of an endpoint, for example DEFAULT.")
        plan = SmokePlan(connection, choice, qualifier, prompts, max_invocations, log_wait, poll_every)
        self.stdout.write(plan.costs())
        run = asyncio.run(run_smoke(plan, self.stdout.write))
        for path in write_report(plan, run, report, with_account=with_account):
            self.stdout.write(f"written: {path}")
        if not run.is_ok:
            sys.exit(1)


def choose(connection: Connection, agent: str) -> Choice:
    """The one agent of that ARN or name, registered or of the region. Raises CommandError with what there is."""
    try:
        if is_arn(agent):
            return choose_by_arn(agent)
        found = registered(agent) or [
            Choice(RuntimeArn.parse(runtime.arn))
            for runtime in list_runtimes(connection, connection.region)
            if runtime.name == agent
        ]
    except InvalidArnError as error:
        raise CommandError(str(error)) from error
    except AwsError as error:
        raise CommandError(f"{error.code}: {error.message} {error.advice}") from error
    if len(found) != 1:
        several = ", ".join(choice.arn.runtime_arn for choice in found)
        there_is = (
            f"Several agents are called so: {several}." if several else f"{connection.region} has none of this name."
        )
        raise CommandError(f"{there_is} Give the ARN.")
    return found[0]
