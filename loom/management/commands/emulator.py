from __future__ import annotations

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.core.commands import LoomCommand
from apps.emulator.config import EmulatorConfig, EmulatorConfigError
from apps.emulator.server import serve


class Command(LoomCommand):
    help = "Run AgentCore and CloudWatch Logs on this machine, on EMULATOR_PORT with EMULATOR_RUNTIMES."
    examples = (
        "",
        "--seed 7 --time-scale 0.5",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, help="makes every delay the same again; printed at the start")
        parser.add_argument("--time-scale", type=float, default=1.0, help="multiplies provisioning and agent delays")

    def handle(self, *args: object, seed: int | None, time_scale: float, **options: object) -> None:
        environment = settings.ENVIRONMENT
        try:
            serve(
                EmulatorConfig(
                    port=environment.emulator_port,
                    runtimes=environment.emulator_runtimes,
                    seed=seed,
                    time_scale=time_scale,
                )
            )
        except EmulatorConfigError as error:
            raise CommandError(str(error)) from error
