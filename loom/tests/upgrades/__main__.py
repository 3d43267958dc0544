"""Take a database through steps, one after the other; the last line is what each gave, as JSON, with its seconds.

python -m loom.tests.upgrades create fill:100000 rows forward rows answers back rows
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
django.setup()

from django.test.utils import setup_test_environment  # noqa: E402 -- needs the app registry, as do the next

from loom.tests.upgrades import answers, filling, landed, rows  # noqa: E402

STEPS: dict[str, Callable[..., Any]] = {
    "create": landed.create,
    "fill": lambda count: filling.fill(landed.models(), int(count)),
    "forward": landed.forward,
    "back": landed.back,
    "rows": rows.checksums,
    "tags": rows.tags,
    "former_tags": rows.former_tags,
    "answers": answers.read,
}


def main(steps: list[str]) -> None:
    """Carry them out and write the results."""
    setup_test_environment(debug=False)
    results = []
    for step in steps:
        name, _, argument = step.partition(":")
        started = time.monotonic()
        result = STEPS[name](*[argument] if argument else [])
        results.append({"step": step, "seconds": round(time.monotonic() - started, 1), "result": result})
    sys.stdout.write(f"{json.dumps(results)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
