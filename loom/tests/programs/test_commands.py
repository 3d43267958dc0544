"""How the commands introduce themselves."""

from __future__ import annotations

import io
import shlex
from contextlib import redirect_stdout

import pytest
from django.core.management import get_commands, load_command_class

from apps.core.commands import LoomCommand

OWN = sorted(name for name, app in get_commands().items() if str(app).startswith(("apps.", "loom")))


def parser_of(name: str) -> tuple[LoomCommand, str]:
    command = load_command_class(get_commands()[name], name)
    assert isinstance(command, LoomCommand)
    return command, command.create_parser("manage.py", name).format_help()


def test_every_command_of_ours_is_looked_at() -> None:
    assert {"dev", "run", "worker", "invoke_agent", "chat", "register_agents", "create_token", "smoke"} <= set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_help_says_what_is_looms_with_examples_and_leaves_djangos_options_out(name: str) -> None:
    command, shown = parser_of(name)

    assert shown.startswith(f"usage: manage.py {name}")
    for option in ("--settings", "--pythonpath", "--traceback", "--no-color", "--verbosity", "--skip-checks"):
        assert option not in shown
    assert f"Examples:\n  manage.py {name}" in shown
    assert shown.rstrip().splitlines()[-1].strip() == f"manage.py {name} {command.examples[-1]}".strip()


@pytest.mark.parametrize("name", OWN)
def test_its_examples_can_be_typed(name: str) -> None:
    command, _ = parser_of(name)
    parser = command.create_parser("manage.py", name)

    assert len(command.examples) == len(set(command.examples)) > 0
    for example in command.examples:
        words = shlex.split(example)
        parser.parse_args([word for word in words if word[0] not in "<>"])  # those are the shell's


def test_djangos_options_work_all_the_same() -> None:
    command, _ = parser_of("revoke_token")
    parser = command.create_parser("manage.py", "revoke_token")

    with redirect_stdout(io.StringIO()):
        assert parser.parse_args(["--verbosity", "2", "--traceback"]).verbosity == 2
