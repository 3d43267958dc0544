"""Say why no log lines of an agent, a session or a run are found."""

from __future__ import annotations

import json as json_text
import sys

from django.core.management.base import CommandError, CommandParser

from apps.agentcore.selectors import with_runtime
from apps.agents.models import Agent
from apps.agents.selectors import in_use
from apps.aws.arn import is_valid_qualifier
from apps.awsverify.doctor.diagnosis import diagnose
from apps.awsverify.doctor.looking import Asked
from apps.awsverify.doctor.text import as_json, as_text
from apps.core.commands import LoomCommand
from apps.sessions.models import Session


class Command(LoomCommand):
    help = "Find out by reading only why no log lines are found; exit with 1 where a cause was found."
    examples = (
        "travel_concierge",
        "travel_concierge --session 6f1c… --run 2 --json",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", help="name of a registered agent")
        parser.add_argument("--qualifier", default="DEFAULT", help="the endpoint; DEFAULT without it")
        parser.add_argument("--session", help="the runtime session id of one session, whose endpoint then counts")
        parser.add_argument("--run", type=int, help="the number of one run of that session")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(
        self, *args: object, agent: str, qualifier: str, session: str | None = None, run: int | None = None,
        json: bool = False, **options: object,
    ) -> None:  # fmt: skip
        report = diagnose(_asked(agent, qualifier, session, run))
        self.stdout.write(json_text.dumps(as_json(report), indent=2, ensure_ascii=False) if json else as_text(report))
        if not report.is_ok:
            sys.exit(1)


def _asked(name: str, qualifier: str, session_id: str | None, number: int | None) -> Asked:
    agent = with_runtime(Agent.objects.filter(in_use(), removed_at=None, name=name)).order_by("-pk").first()
    if agent is None:
        raise CommandError(f"No registered agent on AgentCore is called {name}.")
    if session_id is None:
        if number is not None:
            raise CommandError("A run is one of a session: give --session as well.")
        if not is_valid_qualifier(qualifier):
            raise CommandError("This cannot be the name of an endpoint.")
        return Asked(agent, qualifier)
    session = Session.objects.filter(agent=agent, runtime_session_id=session_id, deleted_at=None).first()
    if session is None:
        raise CommandError(f"{name} has no session {session_id}.")
    run = session.invocations.filter(number=number).first() if number is not None else None
    if number is not None and run is None:
        raise CommandError(f"That session has no run {number}.")
    return Asked(agent, session.qualifier, session, run)
