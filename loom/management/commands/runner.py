from __future__ import annotations

import asyncio

from django.core.management.base import CommandParser

from apps.core.commands import LoomCommand
from loom.processes.runner import run_runner


class Command(LoomCommand):
    help = "Run agents from the queue, without serving pages, until SIGTERM."
    examples = ("",)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pulse-fd", type=int, help="a pipe that gets a byte every second while all is well")

    def handle(self, *args: object, pulse_fd: int | None, **options: object) -> None:
        asyncio.run(run_runner(out=self.stdout, pulse_fd=pulse_fd))
