"""Measure how answers pass through Loom, its peers and an older tree of Loom: python -m bench.stream [--quick]

Writes build/bench-stream.json, and docs/performance.md with its picture unless told not to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.stream.beds import HERE, LoomBed, tree_of
from bench.stream.doors import Bench, Cell, Door
from bench.stream.report import write_report
from bench.stream.servers import TOP, Cores, cores_of_this_machine, source
from bench.stream.suite import DEFAULT, QUICK, SMALL, Runner
from bench.stream.whole import Whole, make_doors

RESULTS = TOP / "build" / "bench-stream.json"
SPARE_SESSIONS = 10
BEFORE = "7739525"  # the last tree before the path of a token was rebuilt
NONE = "none"
SIZES = {"default": DEFAULT, "quick": QUICK, "small": SMALL}
TINY = Cell(3, 40, ramp_s=0.2, settle_s=0.1, window_s=0.5, patience_s=60)


def short(commit: str) -> str:
    command = ["git", "-C", str(TOP), "rev-parse", "--short", commit]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def conditions(cores: Cores, size: str, against: str) -> dict[str, Any]:
    """What a reader has to know about the machine and the moment; `load` is the load average as it begins."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": short("HEAD"),
        "against": "" if against == NONE else short(against),
        "size": size,
        "load": [round(os.getloadavg()[0], 1)],
        "processor": models[0].partition(": ")[2] if models else platform.machine(),
        "processors": os.cpu_count(),
        "memory_gb": round(memory_kb / 1024**2),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "is_pinned": cores.server is not None,
    }


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description="Measure how answers pass through Loom, its peers and an older Loom.")
    sizes = options.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="one round of everything, within ten minutes")
    sizes.add_argument("--small", action="store_true", help="everything with a handful of streams: do all cells work?")
    sizes.add_argument("--tiny", action="store_true", help="only a few streams through Loom: do the tools work?")
    options.add_argument("--only", default="", help="with --tiny: names of the ways to measure, by commas")
    options.add_argument("--against", default=BEFORE, help=f"an older commit to compare with, or {NONE}")
    options.add_argument("--against-python", default=sys.executable, help="the interpreter that has what it needs")
    options.add_argument("--results", type=Path, default=RESULTS)
    options.add_argument("--no-report", action="store_true", help="leave docs/performance.md as it is")
    options.add_argument("--report-only", action="store_true", help="write the report of the results that are there")
    return options.parse_args()


def main() -> int:
    chosen = arguments()
    if chosen.report_only:
        write_report(json.loads(chosen.results.read_text()))
        return 0
    # A file for each connection, here and in every server that is started.
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    cores = cores_of_this_machine()
    size = "quick" if chosen.quick else "small" if chosen.small else "default"
    against = NONE if chosen.tiny else chosen.against
    found: dict[str, Any] = {"conditions": conditions(cores, size, against)}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-stream-") as name, source(cores) as (port, pid):
        folder, bench = Path(name), Bench(port, pid, cores)
        try:
            if chosen.tiny:
                bed = LoomBed(HERE, folder, port, TINY.streams + SPARE_SESSIONS, cores, has_files=False)
                doors = make_doors(bench, bed, None)
                found |= tiny({name: doors[name] for name in chosen.only.split(",") if name} or doors)
            else:
                here = LoomBed(HERE, folder, port, SIZES[size].most_streams + SPARE_SESSIONS, cores)
                before = None
                if against != NONE:
                    tree = tree_of(against, folder, chosen.against_python)
                    count = SIZES[size].most_before + SPARE_SESSIONS
                    before = LoomBed(tree, folder, port, count, cores, has_files=False)
                Whole(bench, here, before, SIZES[size], say, found).run()
        finally:  # what was measured before something failed is kept
            found["conditions"]["load"].append(round(os.getloadavg()[0], 1))
            chosen.results.parent.mkdir(exist_ok=True)
            chosen.results.write_text(json.dumps(found, indent=1))
    say(f"{chosen.results} written after {(time.monotonic() - started) / 60:.1f} minutes")
    if not chosen.no_report and not chosen.tiny and not chosen.small:
        write_report(found)
    return 0 if all(outcome["is_correct"] for outcome in cells(found)) else 1


def tiny(doors: dict[str, Door]) -> dict[str, Any]:
    """A few streams through each door, without waiting for a quiet machine."""
    runner = Runner(0, 0, say)
    return {"load": {name: [runner.measure(door, TINY, "tiny")] for name, door in doors.items()}}


def cells(found: Any) -> list[dict[str, Any]]:
    """Every outcome in some results, except of levels that may be too much for a server."""
    if isinstance(found, dict):
        if "is_correct" in found:
            return [] if "passed" in found else [found]
        return [cell for value in found.values() for cell in cells(value)]
    return [cell for value in found for cell in cells(value)] if isinstance(found, list) else []


if __name__ == "__main__":
    sys.exit(main())
