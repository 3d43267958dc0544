"""boto3 in a thread for each stream and no server: what a program of the user's own would see.

python -m bench.peers.direct --core 0 < plan.json > outcome.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from bench.peers.agentcore import make_client, reads
from bench.stream.load import BEFORE_START_S
from bench.stream.machine import Reading
from bench.stream.outcome import Outcome, summarise
from bench.stream.plan import LoadPlan
from bench.stream.received import StreamLog
from bench.stream.stamps import now_us


def read_one(client: Any, payload: bytes) -> StreamLog:
    """Ask once and keep what comes."""
    log = StreamLog(asked_us=now_us())
    for data in reads(client, payload):
        log.reads.append((now_us(), data))
    log.ended_us = now_us()
    return log


def run(plan: LoadPlan) -> Outcome:
    """Carry out a plan in this process, which is the server under test as well."""
    client = make_client(plan.port)
    for stream in plan.warm_streams:
        read_one(client, stream.body.encode())
    # The client's share of the outcome is this very process.
    watched = replace(plan.watched, server_pids=[])
    readings: dict[str, Reading] = {"empty": watched.read(), "connected": watched.read()}
    start = time.monotonic() + BEFORE_START_S
    window = start + plan.ramp_s + plan.settle_s
    with ThreadPoolExecutor(len(plan.streams)) as threads:
        futures: list[Future[StreamLog]] = []
        reader = threading.Thread(target=_read_window, args=(plan, watched, readings, window))
        reader.start()
        for number, stream in enumerate(plan.streams):
            time.sleep(max(0.0, start + plan.ramp_s * number / len(plan.streams) - time.monotonic()))
            futures.append(threads.submit(read_one, client, stream.body.encode()))
        logs = [future.result() for future in futures]
        reader.join()
    readings["end"] = watched.read()
    return summarise(plan, logs, readings)


def _read_window(plan: LoadPlan, watched: Any, readings: dict[str, Reading], window: float) -> None:
    for name, instant in (("window", window), ("window_end", window + plan.window_s)):
        time.sleep(max(0.0, instant - time.monotonic()))
        readings[name] = watched.read()


def main() -> None:
    options = argparse.ArgumentParser(description="boto3 without a server.")
    options.add_argument("--core", type=int)
    chosen = options.parse_args()
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    json.dump(run(LoadPlan.from_json(sys.stdin.read())).as_json(), sys.stdout)


if __name__ == "__main__":
    main()
