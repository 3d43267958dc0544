from __future__ import annotations

from django.core.management.base import CommandError
from django.db import OperationalError
from django.template.defaultfilters import filesizeformat

from apps.core.commands import LoomCommand
from apps.core.running.sqlite_space import rewrite, space


class Command(LoomCommand):
    help = (
        "Write SQLite's file anew without the space of what was deleted. A file that was made by an older Loom needs "
        "this once; after that, and with every newer file, the worker gives free space back by itself. Stop Loom first."
    )
    examples = ("",)

    def handle(self, *args: object, **options: object) -> None:
        before = space()
        if before is None:
            raise CommandError("The database is no SQLite file: PostgreSQL gives space back by itself (autovacuum).")
        try:
            rewrite()
        except OperationalError as error:
            raise CommandError(
                f"The file was not written anew, and nothing is lost: {error}. Stop Loom, and see that the disk has "
                f"room for a second copy ({filesizeformat(before.total_bytes)}). Then try again."
            ) from error
        after = space()
        assert after is not None
        self.stdout.write(f"{filesizeformat(before.total_bytes)} before, {filesizeformat(after.total_bytes)} now\n")
