"""How the commands of Loom introduce themselves."""

from __future__ import annotations

from argparse import SUPPRESS
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser, DjangoHelpFormatter

_EXAMPLES = "Examples:"
DJANGOS = {"--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color"}


class _HelpFormatter(DjangoHelpFormatter):
    """Leaves the examples as they are, one a line."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(_EXAMPLES):
            return "\n".join(f"{indent}{line}" for line in text.splitlines())
        return super()._fill_text(text, width, indent)


class LoomCommand(BaseCommand):
    """A command whose help says what it does, its own options and some examples.

    Django's options work as with any command. They are not listed: nine lines of them would bury what is Loom's.
    """

    examples: ClassVar[tuple[str, ...]] = ()
    # Django's look at every address, page and field of the code: `make lint` makes them.
    requires_system_checks: list[str] = []
    suppressed_base_arguments = DJANGOS

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        lines = [_EXAMPLES, *(f"  manage.py {subcommand} {example}".rstrip() for example in self.examples)]
        options.setdefault("formatter_class", _HelpFormatter)
        parser = super().create_parser(prog_name, subcommand, epilog="\n".join(lines), **options)
        for action in parser._actions:  # this one is added past `suppressed_base_arguments`
            if "--skip-checks" in action.option_strings:
                action.help = SUPPRESS
        return parser
