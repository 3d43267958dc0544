from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import add_connection_arguments, connected, text_typed
from loom_client import AgentOutcome, Client

TOGETHER = ("refresh", "tag", "untag", "archive", "revive")
AT_ONCE = 50
ONE_BY_ONE: Mapping[str, tuple[Callable[[Client, int], None], str]] = {
    "star": (Client.star, "has your star"),
    "unstar": (Client.unstar, "has your star no more"),
}


class Command(LoomCommand):
    help = (
        "Refresh, tag, archive, bring back or star agents of the running Loom, and say what became of each. "
        "Exit status: 0 all were done, 1 one was not."
    )
    examples = ("refresh 3 4 5", "tag 3 4 --tag school", "archive code_tutor", "star travel_concierge")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("how", choices=[*TOGETHER, *ONE_BY_ONE])
        parser.add_argument("agents", nargs="+", metavar="AGENT", help="its id, name or ARN; to revive: its id")
        parser.add_argument("--tag", default="", help="the one to be given or taken away")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        how, tag = options["how"], text_typed(options["tag"], "tag")
        if (how in ("tag", "untag")) != bool(tag):
            raise CommandError("Give --tag with tag and untag, and with nothing else.")
        with connected(
            email=options["user"], url=options["url"], name="manage.py change_agents", scope="manage"
        ) as client:
            keys = [int(one) if one.isdecimal() else client.find_agent(one).id for one in options["agents"]]
            refused = 0
            for at in range(0, len(keys), AT_ONCE):
                for outcome in _changed(client, how, keys[at : at + AT_ONCE], tag):
                    refused += not outcome.is_done
                    out = self.stdout if outcome.is_done else self.stderr
                    out.write(shown_in_terminal(f"{outcome.name}: {outcome.note or outcome.error}"))
        if refused:
            raise CommandError(f"{refused} of {len(keys)} were not done.", returncode=1)


def _changed(client: Client, how: str, keys: list[int], tag: str) -> list[AgentOutcome]:
    if how in TOGETHER:
        return client.change_agents(how, keys, tag)
    call, done = ONE_BY_ONE[how]
    outcomes = []
    for key in keys:
        call(client, key)
        outcomes.append(AgentOutcome(key, f"agent {key}", True, done, ""))
    return outcomes
