"""Measure everything, print it beside its limits, and fail where one is broken: python -m etc.checks.budget"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

from etc.checks.apart import ROOT, throw_away_environment
from etc.checks.budget.imports import measure_imports
from etc.checks.budget.limits import RAISE, Measured, problems, read_budget, table
from etc.checks.budget.packages import measure_packages
from etc.checks.budget.processes import measure_processes


def measure_pages() -> Measured:
    """Walk the pages in a process whose settings are its own; anew where an hour ended meanwhile, and with it a figure.

    Two walks do not last an hour.
    """
    begun = datetime.now(UTC)
    with throw_away_environment(LOG_LEVEL="error") as environment:
        done = subprocess.run(
            [sys.executable, "-m", "etc.checks.budget.walk"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    if datetime.now(UTC).hour != begun.hour:
        return measure_pages()
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def main() -> int:
    """The command line; returns the exit status."""
    budget = read_budget(ROOT / "etc" / "budget.toml")
    measured = measure_packages(ROOT / "etc" / "requirements" / "run.txt")
    measured.add(measure_imports(budget.forbidden, budget.forbidden_to))
    measured.add(measure_pages())
    measured.add(measure_processes())
    for line in table(measured, budget):
        sys.stdout.write(f"{line}\n")
    over = problems(measured, budget)
    for line in over:
        sys.stdout.write(f"\n{line}\n")
    if over:
        sys.stdout.write(f"\n{RAISE}\n")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
