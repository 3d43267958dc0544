"""Become Loom's web process as `make run` starts it, on one core.

python -m bench.stream.serve --core 0
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")

from loom.start_all import web_spec


def main() -> None:
    options = argparse.ArgumentParser(description="Loom's web process on one core.")
    options.add_argument("--core", type=int)
    chosen = options.parse_args()
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    argv = list(web_spec(dict(os.environ)).argv)
    os.execv(argv[0], argv)  # noqa: S606 -- Loom's own command


if __name__ == "__main__":
    main()
