"""Register the emulator's agents, so that a first look at Loom is not an empty one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from apps.agentcore.aws.connection import current_connection
from apps.agentcore.exceptions import AgentExistsError
from apps.agentcore.models import Runtime
from apps.agentcore.services import register_agent
from apps.aws.control import list_runtimes
from apps.aws.errors import AwsError
from apps.core.commands import LoomCommand
from apps.core.exceptions import LoomError
from loom.demo_history import start_history


@contextmanager
def quiet() -> Iterator[None]:
    """Leave what the command does to its last line, which says it all."""
    ours = logging.getLogger("apps")
    before = ours.level
    ours.setLevel(logging.WARNING)
    try:
        yield
    finally:
        ours.setLevel(before)


class Command(LoomCommand):
    help = (
        "Register the emulator's agents that the registry has never held; what was removed stays removed. In an empty "
        "database let each of them measure its start, for a history made by real runs."
    )
    examples = ("",)

    def handle(self, *args: Any, **options: Any) -> None:
        with quiet():
            self._seed()

    def _seed(self) -> None:
        if settings.LOOM_AWS != "emulator":
            raise CommandError("seed_demo fills the registry from the emulator only; here LOOM_AWS is aws.")
        known = set(Runtime.objects.values_list("arn", flat=True))
        added = 0
        try:
            for runtime in list_runtimes(current_connection(), settings.AWS_REGION):
                if runtime.arn in known:
                    continue
                try:
                    register_agent(arn=runtime.arn, user=None)
                except AgentExistsError:
                    continue
                added += 1
        except AwsError as error:
            raise CommandError(f"The emulator did not answer: {error.message}") from error
        except LoomError as error:
            raise CommandError(error.text()) from error
        said = f"{added} demo agents registered" if added else "the demo agents are registered already"
        if settings.DEMO_HISTORY and (count := start_history()):
            said += f"; {count} of them answer their first prompts in the background, for a few minutes"
        self.stdout.write(said)
