"""Modules that a process of Loom has imported when it is ready."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping

from etc.checks.apart import ROOT, throw_away_environment
from etc.checks.budget.limits import Measured

# A command needs a database that is up to date; it is made so by a process whose modules do not count.
PREPARE = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "loom.settings"
import django
django.setup()
from django.core.management import call_command
from apps.accounts.models import User
call_command("migrate", verbosity=0)
User.objects.create_superuser(email="budget@example.com")
"""
# What a process does before its first request, prompt or task. `invoke_agent` goes all the way to a server that is not
# there: it finds the user, makes a token, opens a connection, and takes the token back. `migrate` is the first step of
# `make dev`.
STARTS = {
    "web": "import asyncio, loom.asgi; asyncio.run(loom.asgi.warm_up())",
    "invoke_agent": """
import contextlib, io, os, socket
os.environ["DJANGO_SETTINGS_MODULE"] = "loom.settings"
from django.core.management import execute_from_command_line
said = io.StringIO()
with socket.socket() as nobody, contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
    nobody.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    execute_from_command_line(["manage.py", "invoke_agent", "agent", "prompt", "--url", url])
assert "Nothing answers" in said.getvalue(), said.getvalue()
""",
    "migrate": """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "loom.settings"
import django
django.setup()
from django.core.management import execute_from_command_line
from loom.processes.start_all import steps
(_, migrate), *_ = steps(collects=False)
execute_from_command_line(list(migrate.argv[1:]))
""",
    "worker": """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "loom.settings"
import django
django.setup()
from django.core.management import load_command_class
load_command_class("loom", "worker")
""",
}
FRAME = """
import sys
before = set(sys.modules)
{start}
import json
print()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def modules_after(start: str, prepare: str = "") -> list[str]:
    """Run Python text in a process of its own; return what it imported of others' packages.

    Python's own modules differ from one version to the next, and ours become more when a file is split. `prepare` is
    run before, in another process with the same database.
    """
    with throw_away_environment() as environment:
        if prepare:
            subprocess.run([sys.executable, "-c", prepare], cwd=ROOT, env=environment, check=True)
        done = subprocess.run(
            [sys.executable, "-c", FRAME.format(start=start)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return [name for name in names if not _is_left_out(name.partition(".")[0])]


def _is_left_out(package: str) -> bool:
    return package in sys.stdlib_module_names or package == "apps" or package.startswith("loom")


def forbidden_among(modules: Iterable[str], forbidden: Iterable[str]) -> list[str]:
    """The forbidden ones that were imported, by their forbidden name."""
    names = set(modules)
    return [one for one in forbidden if one in names]


def measure_imports(forbidden: Iterable[str], forbidden_to: Mapping[str, Iterable[str]]) -> Measured:
    """Count the modules of each start, and name those that are forbidden, to all or to this one."""
    measured = Measured({"modules": {}})
    for name, start in STARTS.items():
        modules = modules_after(start, PREPARE)
        measured.numbers["modules"][name] = len(modules)
        measured.problems += [
            f"modules: {name} imports {module} at its start: import it where it is used"
            for module in forbidden_among(modules, [*forbidden, *forbidden_to.get(name, ())])
        ]
    return measured
