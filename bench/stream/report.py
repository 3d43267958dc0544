"""docs/performance.md and its picture, written from the results: no figure above its last part is typed by hand."""

from __future__ import annotations

import textwrap
from pathlib import Path
from statistics import median

from bench.stream.figures import Outcome, Results, at, cpu, mark, middle, shown, table
from bench.stream.outcome import MOST_OTHER_CPU, MOST_TOOL_CORE
from bench.stream.plot import Series, lag_plot
from bench.stream.servers import TOP
from bench.stream.suite import LAG_LIMIT_MS
from bench.stream.targets import targets

PAGE = TOP / "docs" / "performance.md"
PICTURE = TOP / "docs" / "images" / "streams.svg"
TEXTS = Path(__file__).parent / "texts"
# What follows it on the page is no result, and stays.
BY_HAND = "<!-- by hand -->"

TITLES = {
    "loom": "Loom, page (WebSocket, HTML)",
    "before": "Loom as it was, page",
    "loom_api": "Loom, API (server-sent events)",
    "before_api": "Loom as it was, API",
    "direct": "boto3 in threads, no server",
    "fastapi_sync": "FastAPI, sync generator",
    "fastapi_queue": "FastAPI, thread and queue",
}

SHORT_TITLES = {"loom": "Loom, page", "fastapi_sync": "FastAPI, sync", "fastapi_queue": "FastAPI, queue"}


def write_report(results: Results, page: Path = PAGE, picture: Path = PICTURE) -> None:
    """Write the page and the picture."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    ladder = results["ladder"]
    series = [Series(SHORT_TITLES[name], points(results["load"][name], rungs)) for name, rungs in ladder.items()]
    picture.write_text(lag_plot(series, LAG_LIMIT_MS))
    sections = [
        (TEXTS / "head.md").read_text(),
        conditions(results["conditions"]),
        "## Targets\n\n" + targets(results),
        "## Time to first token\n\n" + (TEXTS / "first_token.md").read_text() + "\n" + first_token(results["ttft"]),
        "## Under load\n\n" + (TEXTS / "load.md").read_text() + "\n" + under_load(results["load"]),
        "## Most streams on one core\n\n" + (TEXTS / "most.md").read_text() + "\n" + most(ladder),
        "## One answer, many viewers; viewers that never read; a browser\n\n" + others(results),
        (TEXTS / "method.md").read_text(),
    ]
    by_hand = page.read_text().partition(BY_HAND) if page.exists() else ("", "", "")
    page.write_text("\n".join(section.rstrip("\n") + "\n" for section in [*sections, "".join(by_hand[1:])]))


def points(load: list[Outcome], rungs: list[Outcome]) -> list[tuple[int, float]]:
    """Streams and p99 lag: of the comparison under load, then of the levels."""
    found = {load[0]["stream_count"]: middle(load, at("lag", "p99"))}
    found |= {rung["stream_count"]: rung["lag"]["p99"] for rung in rungs if rung["lag"]}
    return [(count, lag) for count, lag in sorted(found.items()) if lag is not None]


def conditions(found: Results) -> str:
    """Where and when it was measured."""
    pinned = "server on core 0, tools on core 1" if found["is_pinned"] else "nothing pinned: this machine has one core"
    against = f", beside the tree of {found['against']} (*Loom as it was*)" if found["against"] else ""
    load = " before and ".join(f"{value:g}" for value in found["load"])
    text = (
        f"Measured {found['at']} at commit {found['commit']}{against} ({found['size']} run) on {found['processors']} "
        f"processors ({found['processor']}), {found['memory_gb']} GB, {found['system']}, Python {found['python']}; "
        f"{pinned}; load average {load} after. A figure marked ~ comes from a cell in which something else used more "
        f"than {MOST_OTHER_CPU:g} of a core, or a tool more than {MOST_TOOL_CORE:g}, also when it was measured again: "
        "read it as an order of magnitude."
    )
    return textwrap.fill(text, 120) + "\n"


def first_token(found: dict[str, list[Outcome]]) -> str:
    rows = []
    for name, outcomes in found.items():
        n = sum(outcome["ttft"]["n"] for outcome in outcomes if outcome["ttft"])
        p50s = [outcome["ttft"]["p50"] for outcome in outcomes if outcome["ttft"]]
        rows.append([
            f"{mark(outcomes)}{TITLES[name]}", str(n), shown(median(p50s)), f"{min(p50s):.1f} – {max(p50s):.1f}",
            shown(middle(outcomes, at("ttft", "p99"))),
        ])  # fmt: skip
    return table(["60 streams over 4 s", "n", "p50 ms", "p50 of the rounds", "p99 ms"], rows)


def under_load(found: dict[str, list[Outcome]]) -> str:
    rows = []
    for name, outcomes in found.items():
        is_server = name != "direct"
        us = middle(outcomes, cpu if is_server else client_us_per_token)
        rows.append([
            f"{mark(outcomes)}{TITLES[name]}", shown(middle(outcomes, at("lag", "p50"))),
            shown(middle(outcomes, at("lag", "p99"))),
            shown(us, digits=0),
            shown(middle(outcomes, at("end", "p50"))), shown(middle(outcomes, at("end", "p99"))),
            shown(middle(outcomes, kb_per_stream) if is_server else None, digits=0),
        ])  # fmt: skip
    header = [
        "100 streams × 30 tokens/s",
        "lag p50 ms",
        "lag p99 ms",
        "CPU µs/token",
        "end p50 ms",
        "end p99 ms",
        "KB/stream",
    ]
    return table(header, rows)


def client_us_per_token(outcome: Outcome) -> float | None:
    """Without a server the client's own time is what counts."""
    use, tokens = outcome["use"], outcome["tokens_in_window"]
    return use["client"] * use["seconds"] * 1e6 / tokens if tokens else None


def kb_per_stream(outcome: Outcome) -> float:
    """What the server grew by from its start, warmed up, to the end of the window."""
    return float(outcome["rss_window_kb"] - outcome["rss_empty_kb"]) / int(outcome["stream_count"])


def grown_mb(outcome: Outcome) -> float:
    return float(outcome["rss_window_kb"] - outcome["rss_empty_kb"]) / 1024


def most(ladder: dict[str, list[Outcome]]) -> str:
    rows = [
        [
            f"{mark([rung])}{TITLES[name]}", str(rung["stream_count"]), shown(rung["lag"] and rung["lag"]["p50"]),
            shown(rung["lag"] and rung["lag"]["p99"]), shown(rung["use"]["server"], digits=2),
            shown(rung["cpu_us_per_token"], digits=0),
            shown(kb_per_stream(rung), digits=0),
            "yes" if rung["passed"] else "no",
        ]
        for name, rungs in ladder.items()
        for rung in rungs
    ]  # fmt: skip
    header = [
        "30 tokens/s each",
        "streams",
        "lag p50 ms",
        "lag p99 ms",
        "cores",
        "CPU µs/token",
        "KB/stream",
        "below 100 ms",
    ]
    picture = f"![p99 lag by number of streams](images/{PICTURE.name})\n"
    return f"{picture}\n{table(header, rows)}"


def others(results: Results) -> str:
    stalled, unstalled, paint = (results[name] for name in ("stalled", "unstalled", "paint"))
    fan = results["fan_out"]["loom"]
    painted = sorted(paint["painted_ms"])
    finished = sorted(paint["finished_ms"])
    rows = [
        [f"{mark(fan)}1 answer of 100 tokens/s to 100 viewers", "lag p50 / p99",
         f"{shown(middle(fan, at('lag', 'p50')))} / {shown(middle(fan, at('lag', 'p99')))} ms"],
        ["", "cores; CPU per token and viewer",
         f"{shown(middle(fan, lambda one: one['use']['server']), digits=2)}; {shown(middle(fan, cpu))} µs"],
        [f"{mark([stalled])}25 of 30 viewers never read, 4 KB a token", "lag p99 of those who read",
         f"{shown(stalled['lag']['p99'])} ms"],
        ["", "memory while it runs", f"{grown_mb(stalled):+.0f} MB"],
        [f"{mark([unstalled])}the same, everybody reads", "lag p99; memory",
         f"{shown(unstalled['lag']['p99'])} ms; {grown_mb(unstalled):+.0f} MB"],
        [f"headless Chromium, one stream, n = {len(painted)}", "Send to first token painted: median, range",
         f"{median(painted):.0f} ms, {painted[0]:.0f} – {painted[-1]:.0f}"],
        ["", "Send to finished turn painted (30 tokens in 0.97 s)", f"{median(finished):.0f} ms"],
    ]  # fmt: skip
    return table(["what", "figure", "value"], rows)
