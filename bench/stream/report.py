"""docs/performance.md and its picture, written from the results: no figure above its last part is typed by hand."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.stream.outcome import MOST_OTHER_CPU, MOST_TOOL_CORE
from bench.stream.plot import Series, lag_plot
from bench.stream.servers import TOP
from bench.stream.suite import LAG_LIMIT_MS

PAGE = TOP / "docs" / "performance.md"
PICTURE = TOP / "docs" / "images" / "streams.svg"
TEXTS = Path(__file__).parent / "texts"
# What follows it on the page is no result, and stays.
BY_HAND = "<!-- by hand -->"

TITLES = {
    "loom": "Loom, page (WebSocket, HTML)",
    "loom_api": "Loom, API (server-sent events)",
    "direct": "boto3 in threads, no server",
    "fastapi_sync": "FastAPI, sync generator",
    "fastapi_queue": "FastAPI, thread and queue",
}

SHORT_TITLES = {"loom": "Loom, page", "fastapi_sync": "FastAPI, sync", "fastapi_queue": "FastAPI, queue"}

Results = dict[str, Any]
Outcome = dict[str, Any]


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
    text = (
        f"Measured {found['at']} at commit {found['commit']} ({found['size']} run) on {found['processors']} processors "
        f"({found['processor']}), {found['memory_gb']} GB, {found['system']}, Python {found['python']}; {pinned}. A "
        f"figure marked ~ comes from a cell in which, after two repetitions, something else still used more than "
        f"{MOST_OTHER_CPU:g} of a core, or a tool more than {MOST_TOOL_CORE:g}: read it as an order of magnitude."
    )
    return textwrap.fill(text, 120) + "\n"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A markdown table, its first column left, the others right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows]) + "\n"


def mark(outcomes: list[Outcome]) -> str:
    return "~" if any(outcome["disturbance"] for outcome in outcomes) else ""


def middle(outcomes: list[Outcome], take: Callable[[Outcome], float | None]) -> float | None:
    """The median over the rounds."""
    values = [value for outcome in outcomes if (value := take(outcome)) is not None]
    return median(values) if values else None


def at(name: str, key: str) -> Callable[[Outcome], float | None]:
    """Take a percentile of an outcome."""
    return lambda outcome: outcome[name][key] if outcome[name] else None


def shown(value: float | None, unit: str = "", digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}{unit}"


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
        cpu = middle(outcomes, (lambda outcome: outcome["cpu_us_per_token"]) if is_server else client_us_per_token)
        rows.append([
            f"{mark(outcomes)}{TITLES[name]}", shown(middle(outcomes, at("lag", "p50"))),
            shown(middle(outcomes, at("lag", "p99"))),
            shown(cpu, digits=0),
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


def best_level(rungs: list[Outcome]) -> int:
    """The most streams of the levels that passed with none failed below."""
    best = 0
    for rung in rungs:
        if not rung["passed"]:
            break
        best = rung["stream_count"]
    return best


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
    fan, stalled, unstalled, paint = (results[name] for name in ("fan_out", "stalled", "unstalled", "paint"))
    painted = sorted(paint["painted_ms"])
    finished = sorted(paint["finished_ms"])
    rows = [
        [f"{mark([fan])}1 answer of 100 tokens/s to 100 viewers", "lag p50 / p99",
         f"{shown(fan['lag']['p50'])} / {shown(fan['lag']['p99'])} ms"],
        ["", "cores; CPU per token and viewer",
         f"{fan['use']['server']:.2f}; {shown(fan['cpu_us_per_token'], digits=0)} µs"],
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


def targets(results: Results) -> str:
    """Each target with what was measured, and whether it was met."""
    ttft, load, ladder = results["ttft"], results["load"], results["ladder"]
    best = {name: best_level(rungs) for name, rungs in ladder.items()}
    page, direct = (middle(ttft[name], at("ttft", "p50")) or 0.0 for name in ("loom", "direct"))
    cpu = middle(load["loom"], lambda outcome: outcome["cpu_us_per_token"]) or 0.0
    end = middle(load["loom_api"], at("end", "p99")) or 0.0
    fan = results["fan_out"]["lag"]["p99"]
    sync, queue = (best["loom"] / max(best[name], 1) for name in ("fastapi_sync", "fastapi_queue"))
    defects = [name for name, outcomes in everything(results) if not all(one["is_correct"] for one in outcomes)]
    load_mark, ladder_mark = mark(load["loom"]), mark([rung for rungs in ladder.values() for rung in rungs])
    rows = [
        (
            "first token, p50, at the page: boto3 without a server + 2 ms",
            f"{mark(ttft['loom'] + ttft['direct'])}{page - direct:+.1f} ms",
            page - direct <= 2,
        ),
        (
            "streams on one core with p99 lag below 100 ms: 400 or more",
            f"{ladder_mark}{best['loom']}",
            best["loom"] >= 400,
        ),
        ("3 times those of the synchronous peer", f"{ladder_mark}{sync:.1f} ×", sync >= 3),
        ("1.3 times those of the peer with queues", f"{ladder_mark}{queue:.1f} ×", queue >= 1.3),
        ("CPU per token at the page, 100 streams: 100 µs or less", f"{load_mark}{cpu:.0f} µs", cpu <= 100),
        ("last token to `session_end`, p99: 50 ms or less", f"{mark(load['loom_api'])}{end:.1f} ms", end <= 50),
        ("1 answer to 100 viewers, p99 lag: 75 ms or less", f"{mark([results['fan_out']])}{fan:.1f} ms", fan <= 75),
        (
            "every token once and in order, every end told",
            "every cell" if not defects else ", ".join(defects),
            not defects,
        ),
    ]
    text = table(
        ["target", "measured", "met"], [[name, value, "yes" if met else "**no**"] for name, value, met in rows]
    )
    return text + "\n" + (TEXTS / "causes.md").read_text()


def everything(results: Results) -> list[tuple[str, list[Outcome]]]:
    """Every group of outcomes with its name; of the search for the most streams, the levels that passed."""
    groups = [(f"{what} {name}", outcomes) for what in ("ttft", "load") for name, outcomes in results[what].items()]
    groups += [(name, [results[name]]) for name in ("fan_out", "stalled", "unstalled")]
    return groups + [(name, [rung for rung in rungs if rung["passed"]]) for name, rungs in results["ladder"].items()]
