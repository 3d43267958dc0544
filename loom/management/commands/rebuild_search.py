from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from apps.core.commands import LoomCommand
from apps.sessions import indexing

SAID_EVERY = 5_000


class Command(LoomCommand):
    help = (
        "Index the words of all runs again, the newest first, beside a running Loom. Interrupted, it goes on where it "
        "was with --resume, and so does the worker by itself."
    )
    examples = ("", "--resume", "--from-scratch")

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--resume", action="store_true", help="go on where the last one was interrupted")
        how.add_argument(
            "--from-scratch",
            action="store_true",
            help="throw away what is indexed first: for an index that is damaged, or that finds less until it is done",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["resume"]:
            indexing.restart(from_scratch=options["from_scratch"])
        done, said = 0, 0
        while count := indexing.index_older():
            done += count
            if done - said >= SAID_EVERY:
                said = done
                self.stdout.write(f"{done:,} runs indexed, about {indexing.index_state().below:,} to go\n")
        while indexing.index_due():
            pass
        state = indexing.index_state()
        self.stdout.write(f"{done:,} runs indexed\n")
        if not state.has_index:
            self.stderr.write(
                "This database has no index of words: SQLite needs FTS5, PostgreSQL the extension pg_trgm, which "
                "somebody who may has to create (CREATE EXTENSION pg_trgm). Until then a search looks into the newest "
                "2,000 runs.\n"
            )
