"""Run a command on one core: python -m bench.stream.serve --core 0 COMMAND …"""

from __future__ import annotations

import argparse
import os


def main() -> None:
    options = argparse.ArgumentParser(description="Run a command on one core.")
    options.add_argument("--core", type=int)
    options.add_argument("command", nargs=argparse.REMAINDER)
    chosen = options.parse_args()
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    os.execv(chosen.command[0], chosen.command)  # noqa: S606 -- Loom's own command


if __name__ == "__main__":
    main()
