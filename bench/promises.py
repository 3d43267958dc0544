"""What was promised of latency, measured: python -m bench.promises [--starts 60] [--write]

Runs a whole Loom with the emulator as it comes: at life's speed, with late log lines and clocks that disagree. Sends
prompts to its demo agents as a program would, twelve at a time, half of them into new sessions, and compares what Loom
says of each run with what the emulator knows of it. Opens the socket of a session's page again and again. Takes about
five minutes; `--write` puts the table into docs/verification.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

import websockets
from websockets.typing import Origin

from apps.aws.tests.emulator_process import Emulator
from bench.screenshots import demo_server
from loom_client import Client

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "verification.md"
BEGIN, END = "<!-- promises: begin -->", "<!-- promises: end -->"
AT_ONCE = 12  # S1-039 asks for ten
CONNECTIONS = 200
AGENTS = ("code_tutor", "travel_concierge", "sentiment_scorer")
PROMPT = "Plan a day in Ghent by train."
LATENCY_WAIT_S = 120.0


@dataclass(frozen=True)
class Sample:
    """A run as Loom tells it and as the emulator knows it; milliseconds, None where unknown."""

    is_cold: bool | None
    is_failed: bool
    first_chunk_ms: float | None
    total_ms: float | None
    start_ms: float | None  # cold_start_latency_ms
    formula_gap_ms: float | None  # cold_start_latency_ms against its two instants
    duration_gap_ms: float | None  # client_duration_ms against its two instants
    invoke_to_receipt_ms: float | None  # from client_invoke_time to the emulator's receipt
    byte_to_done_ms: float | None  # from the emulator's last byte to client_done_time
    start_error_ms: float | None  # the start that is told against the true one
    is_true_start_inside: bool | None  # whether the interval that is told holds it


def instant(text: str | None) -> float | None:
    """Seconds since the epoch of an ISO instant."""
    return datetime.fromisoformat(text).timestamp() if text else None


def gap_ms(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else (later - earlier) * 1000


def difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def sample(client: Client, emulator: Emulator, agent_id: int, session_id: str | None) -> tuple[str, Sample]:
    """Send one prompt, read all of its answer, and ask what is known of it."""
    run = client.invoke(agent_id, PROMPT, session_id=session_id)
    for _ in run:
        pass
    told = client.session(agent_id, run.session_id).invocations[run.invocation - 1]
    latency = client.latency(agent_id, run.session_id, invocation=run.invocation, wait_s=LATENCY_WAIT_S)
    truth = emulator.invocations(run.session_id)[run.invocation - 1]
    invoked, began = instant(latency.client_invoke_time_iso), instant(latency.agent_start_time_iso)
    done = (run.last.data if run.last else {}).get("client_done_time")
    true_start = gap_ms(instant(truth["started_at"]), invoked)
    bounds = (latency.low_ms, latency.high_ms)
    is_inside = None
    if true_start is not None and bounds[0] is not None and bounds[1] is not None:
        is_inside = bounds[0] <= true_start <= bounds[1]
    return run.session_id, Sample(
        is_cold=truth["is_cold"],
        is_failed=run.error is not None,
        first_chunk_ms=told.first_chunk_ms,
        total_ms=latency.client_duration_ms,
        start_ms=latency.cold_start_latency_ms,
        formula_gap_ms=difference(latency.cold_start_latency_ms, gap_ms(began, invoked)),
        duration_gap_ms=difference(latency.client_duration_ms, gap_ms(done, invoked)),
        invoke_to_receipt_ms=gap_ms(instant(truth["received_at"]), invoked),
        byte_to_done_ms=gap_ms(done, instant(truth["last_byte_at"])),
        start_error_ms=difference(latency.cold_start_latency_ms, true_start),
        is_true_start_inside=is_inside,
    )


def pair(url: str, emulator: Emulator, agent_id: int) -> tuple[Sample, Sample]:
    """A prompt in a new session and one more in the same."""
    client = Client(url)
    session_id, first = sample(client, emulator, agent_id, None)
    return first, sample(client, emulator, agent_id, session_id)[1]


async def connect_ms(url: str, public_id: str) -> list[float]:
    """How long the socket of a session's page takes to open, one after another; milliseconds."""
    found = []
    for _ in range(CONNECTIONS):
        began = time.perf_counter()
        async with websockets.connect(f"ws{url.removeprefix('http')}/ws/sessions/{public_id}/", origin=Origin(url)):
            found.append((time.perf_counter() - began) * 1000)
    return found


def spread(values: Iterable[float | None]) -> str:
    """Median, 95th of 100 and the farthest from zero, with how many there are."""
    known = sorted(value for value in values if value is not None)
    if len(known) < 2:
        return f"n = {len(known)}"
    digits = 0 if max(known, key=abs) >= 100 else 1
    shown = {"p50": median(known), "p95": quantiles(known, n=20, method="inclusive")[-1], "most": max(known, key=abs)}
    return ", ".join(f"{name} {value:,.{digits}f}" for name, value in shown.items()) + f" ms (n = {len(known)})"


def share(flags: Sequence[bool]) -> str:
    return f"{sum(flags)} of {len(flags)}"


def share_below(limit_ms: float, values: Sequence[float | None]) -> str:
    return share([value < limit_ms for value in values if value is not None])


def rows(samples: Sequence[Sample], wall_s: float, sockets: Sequence[float]) -> list[tuple[str, str]]:
    """What was promised beside what was measured."""
    cold = [found for found in samples if found.is_cold]
    warm = [found for found in samples if found.is_cold is False]
    inside = [found.is_true_start_inside for found in samples if found.is_true_start_inside is not None]
    return [
        ("the time of the request is taken before AWS has it", spread(s.invoke_to_receipt_ms for s in samples)),
        ("the time of the end is taken when the last byte is there", spread(s.byte_to_done_ms for s in samples)),
        ("`cold_start_latency_ms` is agent start − request; off by", spread(s.formula_gap_ms for s in samples)),
        ("`client_duration_ms` is end − request; off by", spread(s.duration_gap_ms for s in samples)),
        ("cold starts as they are told", spread(s.start_ms for s in cold)),
        ("… off the true ones by", spread(s.start_error_ms for s in cold)),
        ("the true start lies in the interval that is told", share(inside)),
        ("first bytes, cold", spread(s.first_chunk_ms for s in cold)),
        ("first bytes, warm", spread(s.first_chunk_ms for s in warm)),
        ("first bytes within 2 s, cold", share_below(2_000, [s.first_chunk_ms for s in cold])),
        ("first bytes within 2 s, warm", share_below(2_000, [s.first_chunk_ms for s in warm])),
        ("whole answers", spread(s.total_ms for s in samples)),
        ("whole answers within 10 s", share_below(10_000, [s.total_ms for s in samples])),
        ("runs at once, all of them answered", f"{AT_ONCE} at a time, {len(samples)} in {wall_s:.0f} s"),
        ("failed runs, below 1 %", share([s.is_failed for s in samples])),
        ("the socket of a page opens, below 1 s", spread(sockets)),
    ]


def measured(starts: int) -> list[tuple[str, str]]:
    """Run everything once."""
    with demo_server(DEMO_HISTORY="0") as (url, emulator_url):
        client, emulator = Client(url), Emulator(emulator_url)
        agents = [client.find_agent(name).id for name in AGENTS]
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            turns = [pool.submit(pair, url, emulator, agents[number % len(agents)]) for number in range(starts)]
            samples = [found for turn in turns for found in turn.result()]
        wall_s = time.monotonic() - began
        sockets = asyncio.run(connect_ms(url, client.sessions(agents[0])[0].public_id))
    return rows(samples, wall_s, sockets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=60, help="prompts in new sessions; as many in known ones")
    parser.add_argument("--write", action="store_true", help="put the table into docs/verification.md")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(head, cwd=ROOT, check=True, capture_output=True, text=True)
    lines = [f"| {what} | {text} |" for what, text in measured(options.starts)]
    table = "\n".join(["| promised | measured |", "| --- | --- |", *lines])
    where = (
        f"Measured {datetime.now(UTC):%Y-%m-%d} at {commit.stdout.strip()} on {os.cpu_count()} processors, Linux "
        f"{platform.release()}, load average {load:.1f} before and {os.getloadavg()[0]:.1f} after."
    )
    print(f"{where}\n\n{table}")
    if options.write:
        text = DOCUMENT.read_text()
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{where}\n\n{table}\n\n{END}{after}")


if __name__ == "__main__":
    main()
