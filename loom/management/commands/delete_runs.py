from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from loom.cli.terminal import FAILED, add_connection_arguments, connected


class Command(LoomCommand):
    help = (
        "Delete runs with their prompts, answers, recordings and measurements. Their sessions stay, and nothing on AWS "
        "is touched. Exit status: 0 all are deleted, 1 some stayed, since they or what has sent them are not over."
    )
    examples = ("4711 4712 --yes",)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("runs", type=int, nargs="+", metavar="RUN", help="the ids of up to 200 runs")
        parser.add_argument("--yes", action="store_true", help="without it nothing is deleted")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"]:
            raise CommandError(
                f"{len(set(options['runs']))} would be deleted, and cannot be brought back. Say --yes.",
                returncode=FAILED,
            )
        with connected(
            email=options["user"], url=options["url"], name="manage.py delete_runs", scope="manage"
        ) as client:
            found = client.delete_runs(options["runs"])
        self.stdout.write(f"Deleted: {_listed(found.deleted)}.")
        if found.kept:
            raise CommandError(
                f"Not deleted: {_listed(found.kept)}. They, or what has sent them, are not over: stop them first.",
                returncode=FAILED,
            )


def _listed(keys: list[int]) -> str:
    return ", ".join(map(str, keys)) or "none"
