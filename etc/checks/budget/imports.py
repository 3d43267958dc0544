"""Modules that a process of Loom has imported when it is ready."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable

from etc.checks.apart import ROOT, throw_away_environment
from etc.checks.budget.limits import Measured

# What a process does before its first request or its first prompt.
STARTS = {
    "web": "import asyncio, loom.asgi; asyncio.run(loom.asgi.warm_up())",
    "invoke_agent": (
        "import contextlib, os\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'loom.settings'\n"
        "from django.core.management import execute_from_command_line\n"
        "with contextlib.suppress(SystemExit):\n"
        "    execute_from_command_line(['manage.py', 'invoke_agent', '--help'])\n"
    ),
}
FRAME = """
import sys
before = set(sys.modules)
{start}
import json
print()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def modules_after(start: str) -> list[str]:
    """Run Python text in a process of its own; return what it imported of others' packages.

    Python's own modules differ from one version to the next, and ours become more when a file is split.
    """
    with throw_away_environment() as environment:
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


def measure_imports(forbidden: Iterable[str]) -> Measured:
    """Count the modules of each start, and name those that are forbidden."""
    measured = Measured({"modules": {}})
    for name, start in STARTS.items():
        modules = modules_after(start)
        measured.numbers["modules"][name] = len(modules)
        measured.problems += [
            f"modules: {name} imports {module} at its start: import it where it is used"
            for module in forbidden_among(modules, forbidden)
        ]
    return measured
