"""Measure how answers pass through Loom and its peers: python -m bench.stream [--quick] [--tiny [--only loom,direct]]

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

from bench.stream.doors import Bench, Cell, DirectDoor, Door, LoomDoor, PeerDoor
from bench.stream.report import write_report
from bench.stream.servers import TOP, Cores, LoomBed, Peer, cores_of_this_machine, source
from bench.stream.suite import DEFAULT, MOST_LEVEL, QUICK, Runner, run

RESULTS = TOP / "build" / "bench-stream.json"
SPARE_SESSIONS = 10
TINY = Cell(3, 40, ramp_s=0.2, settle_s=0.1, window_s=0.5, patience_s=60)


def make_doors(bench: Bench, bed: LoomBed, folder: Path, cores: Cores) -> dict[str, Door]:
    """Every way to an answer."""
    doors: list[Door] = [
        LoomDoor(bench, bed, "socket"),
        DirectDoor(bench),
        LoomDoor(bench, bed, "sse"),
        *(
            PeerDoor(bench, name, title, Peer(name, folder, bench.source_port, cores))
            for name, title in (
                ("fastapi_sync", "FastAPI, sync generator"),
                ("fastapi_queue", "FastAPI, thread and queue"),
            )
        ),
    ]
    return {door.name: door for door in doors}


def conditions(cores: Cores, size: str) -> dict[str, Any]:
    """What a reader has to know about the machine and the moment."""
    head = subprocess.run(
        ["git", "-C", str(TOP), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": head.stdout.strip(),
        "size": size,
        "processor": models[0].partition(": ")[2] if models else platform.machine(),
        "processors": os.cpu_count(),
        "memory_gb": round(memory_kb / 1024**2),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "is_pinned": cores.server is not None,
    }


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def main() -> int:
    options = argparse.ArgumentParser(description="Measure how answers pass through Loom and its peers.")
    options.add_argument("--quick", action="store_true", help="one round of everything, about seven minutes")
    options.add_argument("--tiny", action="store_true", help="only a few streams through Loom: do the tools work?")
    options.add_argument("--only", default="", help="with --tiny: names of the ways to measure, by commas")
    options.add_argument("--results", type=Path, default=RESULTS)
    options.add_argument("--no-report", action="store_true", help="leave docs/performance.md as it is")
    options.add_argument("--report-only", action="store_true", help="write the report of the results that are there")
    chosen = options.parse_args()
    if chosen.report_only:
        write_report(json.loads(chosen.results.read_text()))
        return 0
    # A file for each connection, here and in every server that is started.
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    cores = cores_of_this_machine()
    size = QUICK if chosen.quick else DEFAULT
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-stream-") as name, source(cores) as (port, pid):
        folder = Path(name)
        bench = Bench(port, pid, cores)
        streams = TINY.streams if chosen.tiny else MOST_LEVEL
        bed = LoomBed(folder, port, streams + SPARE_SESSIONS, cores, has_static_files=not chosen.tiny)
        doors = make_doors(bench, bed, folder, cores)
        found: dict[str, Any] = {"conditions": conditions(cores, "quick" if chosen.quick else "default")}
        try:
            if chosen.tiny:
                found |= tiny({name: doors[name] for name in chosen.only.split(",") if name} or doors)
            else:
                run(doors, bed, size, cores.tools, say, found)
        finally:  # what was measured before something failed is kept
            chosen.results.parent.mkdir(exist_ok=True)
            chosen.results.write_text(json.dumps(found, indent=1))
    say(f"{chosen.results} written after {(time.monotonic() - started) / 60:.1f} minutes")
    if not chosen.no_report and not chosen.tiny:
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
