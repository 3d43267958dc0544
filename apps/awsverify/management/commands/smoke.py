"""Try one real agent with everything that Loom does, and write down what was seen."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.agentcore.aws.connection import current_connection
from apps.aws.arn import DEFAULT_QUALIFIER, InvalidArnError, RuntimeArn, is_valid_qualifier
from apps.aws.connection import Connection
from apps.aws.control import list_runtimes
from apps.aws.errors import AwsError
from apps.awsverify.permissions.choice import is_arn
from apps.awsverify.smoke.loom_in_use import LoomInUse, Place, loom_in_use
from apps.awsverify.smoke.plan import LOG_WAIT_S, POLL_EVERY_S, SmokePlan
from apps.awsverify.smoke.report import write_report
from apps.awsverify.smoke.run import run_smoke
from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError
from loom_client import ApiError, Client, ClientError, UnreachableError
from loom_client.wording import did_you_mean, in_sentences


class Command(LoomCommand):
    help = (
        "Have a Loom invoke one agent for real, measure it, read its log, and write a report; exit with 1 where a step "
        "failed. It is the Loom that runs here, else one that lives as long as the command."
    )
    examples = (
        "--agent travel_concierge",
        "--agent travel_concierge --prompts 3 --report build/smoke",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agent", required=True, help="name or ARN")
        parser.add_argument("--qualifier", help="endpoint; DEFAULT, or the one in the ARN")
        parser.add_argument("--region", help="where the agent's name is looked up, instead of AWS_REGION")
        parser.add_argument("--prompts", type=int, default=2, help="prompts of the conversation, the first one cold")
        parser.add_argument("--max-invocations", type=int, default=6, help="no more prompts than this are ever sent")
        parser.add_argument("--log-wait", type=float, default=LOG_WAIT_S, help="seconds to wait for log lines")
        parser.add_argument("--poll-every", type=float, default=POLL_EVERY_S, help="seconds between questions to Loom")
        parser.add_argument(
            "--report",
            type=Path,
            default=settings.BASE_DIR / "build" / "smoke",
            help="folder for the report's two files",
        )
        parser.add_argument("--with-account", action="store_true", help="leave account ids in the report")
        loom = parser.add_argument_group("which Loom")
        loom.add_argument("--url", help="where it answers (default: BACKEND_HOST and BACKEND_PORT, if it runs there)")
        loom.add_argument("--token", help="may manage; without one, one is made for the time of the run")
        loom.add_argument("--user", metavar="EMAIL", help="whose token is made; needed unless there is one superuser")

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
        url: str | None,
        token: str | None,
        user: str | None,
        **options: object,
    ) -> None:
        if prompts < 1 or max_invocations < 1 or log_wait < 0 or poll_every <= 0:
            raise CommandError("--prompts and --max-invocations begin at 1, --log-wait at 0; --poll-every is above 0.")
        if qualifier is not None and not is_valid_qualifier(qualifier):
            raise CommandError("--qualifier must be the name of an endpoint, for example DEFAULT.")
        arn = read_arn(agent)
        connection = current_connection()
        if region is not None:
            connection = replace(connection, region=region)
        try:
            with loom_in_use(connection, Place(url, token, user), self.stdout.write) as loom:
                arn = arn or find(loom.client, loom.connection, agent)
                qualifier = qualifier or arn.qualifier or DEFAULT_QUALIFIER
                plan = SmokePlan(loom.connection, arn, qualifier, prompts, max_invocations, log_wait, poll_every)
                is_ok = self._run(plan, loom, report, with_account=with_account)
        except LoomError as error:
            raise CommandError(error.text()) from error
        except ClientError as error:
            raise CommandError(explain(error)) from error
        if not is_ok:
            sys.exit(1)

    def _run(self, plan: SmokePlan, loom: LoomInUse, report: Path, *, with_account: bool) -> bool:
        self.stdout.write(plan.costs())
        self.stdout.write(f"Through {loom.described}.")
        run = run_smoke(plan, loom.client, self.stdout.write)
        for path in write_report(plan, run, report, loom=loom.described, with_account=with_account):
            self.stdout.write(f"written: {path}")
        return run.is_ok


def read_arn(agent: str) -> RuntimeArn | None:
    """The ARN that was given, None for a name. Raises CommandError for what looks like an ARN and is none."""
    try:
        return RuntimeArn.parse(agent) if is_arn(agent) else None
    except InvalidArnError as error:
        raise CommandError(str(error)) from error


def find(loom: Client, connection: Connection, name: str) -> RuntimeArn:
    """The one agent of that name, in Loom's registry or of the region. Raises CommandError with what there is."""
    known = [(agent.name, agent.arn) for agent in loom.agents()]
    found = [arn for known_name, arn in known if known_name == name]
    try:
        if not found:
            known += [(runtime.name, runtime.arn) for runtime in list_runtimes(connection, connection.region)]
            found = [arn for known_name, arn in known if known_name == name]
    except AwsError as error:
        raise CommandError(in_sentences(f"{error.code}: {error.message}", error.advice)) from error
    if len(found) != 1:
        several = f"Several agents are called so: {', '.join(found)}" if found else ""
        question = did_you_mean(name, (known_name for known_name, _ in known))
        none = in_sentences(f"{connection.region} has none of this name", question)
        raise CommandError(in_sentences(several or none, "Give the ARN"))
    return RuntimeArn.parse(found[0])


def explain(error: ClientError) -> str:
    """What Loom refused before anything was tried."""
    if isinstance(error, UnreachableError):
        return f"{error} Start it with `make dev`, or name its address with --url."
    return error.text() if isinstance(error, ApiError) else str(error)
