"""Whether benches say what is true, end to end: python -m bench.truth [--benches 40] [--at-once 4] [--only same|later]

It starts `manage.py dev` on free ports with an empty database, and an emulator whose clock runs three times as fast.
Two endpoints of one demo agent lead to the same version. First they do not differ, and so many benches of them are
made; then as many of one of them and a third one, which answers 150 ms (of the emulator's clock) later. Of the first
not more than 6 of 40 may claim a difference, of the others 36 of 40 have to find it and say that it is more, not less.
The exit status is 1 where that does not hold. The order of the runs follows from seeds: the number of the bench.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import boto3

from bench.screenshots import demo_server
from loom_client import Bench, Client

AGENT, VERSION = "travel_concierge", "2"  # a short answer, whose first token comes between 500 and 800 ms
SCALE, SHIFT_MS = 0.3, 150
PLAIN, SAME, LATER = "plain", "same", "later"
RUNGS, PAIRS = [1, 2], 24
CLAIMED_AT_MOST, FOUND_AT_LEAST = 6 / 40, 36 / 40
LOOK_EVERY_S = 1.0


def make_endpoints(emulator: str, runtime_id: str) -> None:
    """Let three names lead to the same version."""
    control = boto3.client(
        "bedrock-agentcore-control", region_name="us-east-1", endpoint_url=emulator,
        aws_access_key_id="testing", aws_secret_access_key="testing",  # noqa: S106 -- signatures are not checked
    )  # fmt: skip
    for name in (PLAIN, SAME, LATER):
        control.create_agent_runtime_endpoint(agentRuntimeId=runtime_id, name=name, agentRuntimeVersion=VERSION)


def measure(client: Client, agent_id: int, other: str, seed: int) -> Bench:
    """One bench to its end."""
    asked = {"rungs": RUNGS, "pairs": PAIRS, "warm_up": 1, "seed": seed, "max_cost_usd": 100}
    bench = client.start_bench((agent_id, PLAIN), (agent_id, other), "Two days in Ghent", **asked)
    pause = Event()
    while bench.is_running:
        pause.wait(LOOK_EVERY_S)
        bench = client.bench(bench.id)
    if bench.outcome not in {"done", "stopped_early"}:
        raise SystemExit(f"bench {bench.id} was {bench.outcome}: {bench.message}")
    return bench


def differences(bench: Bench) -> list[float]:
    """What a bench claims, at each rung where it does."""
    looks = [rung["look"] for rung in bench.results]
    return [look["difference"]["value_ms"] for look in looks if look and look["is_found"]]


def made(client: Client, agent_id: int, other: str, count: int, at_once: int) -> list[Bench]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda seed: measure(client, agent_id, other, seed), range(count)))


def told(name: str, benches: Sequence[Bench], right: int, took_s: float) -> None:
    runs = sum(bench.done for bench in benches)
    detectable = [bench.detectable_ms for bench in benches if bench.detectable_ms is not None]
    would = f"; the others would have found {statistics.median(detectable):.1f} ms" if detectable else ""
    print(f"{name}: {right} of {len(benches)} claim a difference ({runs:,} runs, {took_s:.0f} s){would}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benches", type=int, default=40, help="of each kind")
    parser.add_argument("--at-once", type=int, default=4, help="benches that are made beside each other")
    parser.add_argument("--only", choices=[SAME, LATER], help="one of the two kinds")
    options = parser.parse_args()
    planted = f"--no-quotas --time-scale {SCALE} --shifts {AGENT}:{LATER}={SHIFT_MS}"
    with demo_server(EMULATOR_OPTIONS=planted) as (url, emulator):
        client = Client(url)
        agent = client.find_agent(AGENT)
        make_endpoints(emulator, agent.arn.rpartition("/")[2])
        client.refresh(agent.id)
        asked = (client, agent.id, options.benches, options.at_once)
        wrong = 0 if options.only == LATER else same_targets(*asked)
        right = options.benches if options.only == SAME else later_ones(*asked)
    return int(wrong > CLAIMED_AT_MOST * options.benches or right < FOUND_AT_LEAST * options.benches)


def same_targets(client: Client, agent_id: int, count: int, at_once: int) -> int:
    """How many benches of equal targets claim a difference."""
    begun = time.monotonic()
    benches = made(client, agent_id, SAME, count, at_once)
    wrong = sum(bool(differences(bench)) for bench in benches)
    told("no shift", benches, wrong, time.monotonic() - begun)
    return wrong


def later_ones(client: Client, agent_id: int, count: int, at_once: int) -> int:
    """How many benches find what was planted, and say that it is more."""
    begun = time.monotonic()
    benches = made(client, agent_id, LATER, count, at_once)
    found = [differences(bench) for bench in benches]
    right = sum(bool(one) and min(one) > 0 for one in found)
    told(f"{SHIFT_MS * SCALE:g} ms planted", benches, right, time.monotonic() - begun)
    values = sorted(value for one in found for value in one)
    if values:
        middle = statistics.median(values)
        print(f"what they claim: {values[0]:.1f} to {values[-1]:.1f} ms, in their middle {middle:.1f} ms")
    return right


if __name__ == "__main__":
    sys.exit(main())
