"""The tools of `make bench.stream` at the smallest scale: what they report has to be true before anyone compares it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bench.stream.beds import HERE, LoomBed
from bench.stream.machine import Use
from bench.stream.outcome import Outcome, Spread
from bench.stream.received import StreamLog, read_answer
from bench.stream.report import write_report
from bench.stream.servers import Cores, NotStartedError, source
from bench.stream.stamps import CYCLE, now_us, sse_frame
from bench.stream.targets import targets
from loom.environment import BASE_DIR

SPREADS = {"ttft", "lag", "end"}
ANY_CORE = Cores(None, None)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Three streams of some tokens, by the socket of a page of Loom as shipped, and past it."""
    results = tmp_path_factory.mktemp("bench") / "results.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "bench.stream", "--tiny", "--only", "loom,direct", "--results", str(results)
        ],
        cwd=BASE_DIR, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: rounds[0] for name, rounds in json.loads(results.read_text())["load"].items()}


@pytest.mark.parametrize("door", ["loom", "direct"])
def test_every_token_comes_once_and_in_order_through_every_door(door: str, outcomes: dict[str, Any]) -> None:
    outcome = outcomes[door]

    assert outcome["defects"] == []
    assert outcome["is_correct"] is True
    assert outcome["stream_count"] == 3
    assert outcome["ttft"]["n"] == outcome["end"]["n"] == 3


@pytest.mark.parametrize("door", ["loom", "direct"])
def test_an_outcome_holds_what_the_report_shows(door: str, outcomes: dict[str, Any]) -> None:
    outcome = outcomes[door]

    assert all(outcome[name].keys() == {"n", "p50", "p99", "most"} for name in SPREADS)
    assert all(0 < outcome[name]["p50"] <= outcome[name]["p99"] <= outcome[name]["most"] for name in SPREADS)
    assert outcome["lag"]["n"] == outcome["tokens_in_window"] > 0
    assert outcome["use"].keys() == {"seconds", "server", "source", "client", "other"}
    if door != "direct":
        assert outcome["rss_window_kb"] >= outcome["rss_empty_kb"] > 0


@pytest.mark.slow("a database is filled, and Loom is served by two processes and who watches them")
def test_another_way_to_serve_answers_and_every_process_of_it_is_counted(tmp_path: Path) -> None:
    with source(ANY_CORE) as (source_port, _):
        bed = LoomBed(HERE, tmp_path, source_port, 1, ANY_CORE)

        with bed.with_setting("WEB_PROCESSES", "2").started() as running:
            with urlopen(f"http://127.0.0.1:{bed.port}/healthz") as answer:
                assert answer.status == 200
            assert len(running.pids) == 3  # two that serve, and who watches them
        assert not [pid for pid in running.pids if Path(f"/proc/{pid}").exists()]
        with pytest.raises(NotStartedError, match="there is no setting NOTHING_OF_LOOM"):
            bed.with_setting("NOTHING_OF_LOOM", "1")


def answer_of(numbers: list[int]) -> StreamLog:
    """The log of a client that was sent these tokens as server-sent events, and the end."""
    log = StreamLog(asked_us=now_us())
    for number in numbers:
        head, tail = sse_frame(number % CYCLE)
        log.reads.append((now_us(), head + b"%04x%08x" % (number, now_us() & 0xFFFFFFFF) + tail))
    log.ended_us = now_us()
    return log


@pytest.mark.parametrize(
    ("numbers", "defect"),
    [
        ([0, 1, 2, 3], ""),
        ([0, 1, 3], "token 3 stands where 2 belongs"),
        ([0, 1, 1, 2, 3], "token 1 stands where 2 belongs"),
        ([0, 2, 1, 3], "token 2 stands where 1 belongs"),
        ([0, 1, 2], "3 of 4 tokens came"),
    ],
)
def test_a_lost_a_repeated_and_a_misplaced_token_are_noticed(numbers: list[int], defect: str) -> None:
    assert read_answer(answer_of(numbers), "sse", 4).defect == defect


def test_an_answer_without_its_end_is_noticed() -> None:
    log = answer_of([0, 1])
    log.ended_us = 0

    assert read_answer(log, "sse", 2).defect == "the end was not told"


def page_of(*frames: str) -> StreamLog:
    """The log of a client that was sent these HTML frames, in which `Z0` stands for token 0."""
    log = StreamLog(asked_us=now_us(), ended_us=now_us())
    for frame in frames:
        parts = frame.split("Z")
        html = parts[0] + "".join(f"Z{int(part[0]):04x}{now_us() & 0xFFFFFFFF:08x}{part[1:]}" for part in parts[1:])
        payload = html.encode()
        head = bytes([0x81, len(payload)]) if len(payload) < 126 else b"\x81\x7e" + len(payload).to_bytes(2, "big")
        message = head + payload
        log.reads += [(now_us(), message[:5]), (now_us(), message[5:])]  # as the network may cut it
    return log


OUTPUT = '<div id="invocation-1-output" hx-swap-oob="beforeend">{}</div>'
TAIL = '<div id="invocation-1-tail" hx-swap-oob="true">{}</div>'
TURN = '<article id="invocation-1" hx-swap-oob="true">{}</article>'
WORDS = '{{"kind":"words","at":"1:a:1","html":"{}"}}'
ANSWER = '{{"kind":"answer","at":"1:a:1","html":"{}","closed":"{}"}}'
END = '{{"kind":"end","run":1,"number":1,"html":"<b class=\\"x\\">{}</b>"}}'


@pytest.mark.parametrize(
    ("frames", "defect"),
    [
        ([TAIL.format("Z0"), TAIL.format("Z0 Z1"), TAIL.format("Z2") + OUTPUT.format("Z0 Z1"), TURN.format("Z0 Z1 Z2")],
         ""),
        ([TAIL.format("Z0"), TAIL.format("Z2"), TURN.format("Z0 Z1 Z2")], "token 2 came before token 1"),
        ([OUTPUT.format("Z0 Z1"), OUTPUT.format("Z1 Z2"), TURN.format("Z0 Z1 Z2")],
         "closed text was appended twice or out of order"),
        ([TAIL.format("Z0 Z1 Z2"), TURN.format("Z0 Z2")], "a frame shows the tokens [0, 2]"),
        ([TAIL.format("Z0 Z1 Z2"), TURN.format("Z0 Z1")], "the finished turn shows 2 of 3 tokens"),
        ([ANSWER.format("Z0", ""), WORDS.format("Z1"), ANSWER.format("Z2", "Z0 Z1"), END.format("Z0 Z1 Z2")], ""),
        ([ANSWER.format("Z0", ""), WORDS.format("Z2"), END.format("Z0 Z1 Z2")], "token 2 came before token 1"),
        ([ANSWER.format("Z2", "Z0 Z1"), ANSWER.format("", "Z1 Z2"), END.format("Z0 Z1 Z2")],
         "closed text was appended twice or out of order"),
        ([ANSWER.format("Z0 Z1 Z2", ""), END.format("Z0 Z2")], "a frame shows the tokens [0, 2]"),
    ],
)  # fmt: skip
def test_a_page_that_would_show_something_else_is_noticed(frames: list[str], defect: str) -> None:
    assert read_answer(page_of(*frames), "socket", 3).defect == defect


def outcome_of(
    streams: int, *, lag_ms: float, cpu_us: float = 80.0, other: float = 0.0, passed: bool | None = None
) -> Any:
    """What a cell of so many streams would have given, with these figures."""
    found = Outcome(
        stream_count=streams,
        token_count=100,
        ttft=Spread(60, 4.0, 9.0, 10.0),
        lag=Spread(9, lag_ms / 2, lag_ms, lag_ms),
        end=Spread(60, 12.0, 48.0, 50.0),
        tokens_in_window=1000,
        cpu_us_per_token=cpu_us,
        use=Use(4.0, 0.5, 0.1, 0.1, other),
        rss_empty_kb=100_000,
        rss_connected_kb=101_000,
        rss_window_kb=100_000 + 50 * streams,
        rss_end_kb=100_000,
        defect_count=0,
        defects=[],
    )
    level = {} if passed is None else {"passed": passed}
    return {**found.as_json(), "disturbance": found.disturbance, "is_correct": found.is_correct, **level}


WAYS = ("loom", "before", "loom_api", "before_api", "direct", "fastapi_sync", "fastapi_queue")


def results() -> dict[str, Any]:
    """What a whole run would have given: half the cost of before, met and missed targets, a disturbed cell."""
    levels = {"loom": (300, 500), "fastapi_sync": (100, 200), "fastapi_queue": (200, 300)}
    pages = ("loom", "before")
    cost = {"loom": 75, "loom_api": 60, "before": 150, "before_api": 100}
    return {
        "conditions": {
            "at": "2026-01-01 00:00 UTC", "commit": "abc1234", "against": "0ld1234", "size": "default",
            "processor": "Some Processor", "processors": 2, "memory_gb": 8, "system": "Linux 6", "python": "3.11.7",
            "is_pinned": True, "load": [0.1, 2.5],
        },
        "ttft": {name: [outcome_of(60, lag_ms=3)] for name in WAYS},
        "load": {
            name: [outcome_of(100, lag_ms=35, cpu_us=cost.get(name, 80), other=0.4 if name == "loom" else 0)]
            for name in WAYS
        },
        "alone": {name: [outcome_of(250, lag_ms=3)] for name in pages},
        "fan_out": {name: [outcome_of(100, lag_ms=60, cpu_us=9)] for name in pages},
        "command": {"here": [0.6, 0.5, 0.7], "before": [2.0, 2.2, 2.1]},
        "crowds": {
            "300": {"loom": outcome_of(300, lag_ms=70, cpu_us=80, passed=True), "before": None},
            "500": {"loom": outcome_of(500, lag_ms=900, cpu_us=70, passed=False)},
        },
        "served": {
            "two": {"reason": "there is no setting WEB_PROCESSES"},
            "daphne": {
                "rounds": {
                    "loom": [outcome_of(100, lag_ms=35, cpu_us=80)], "daphne": [outcome_of(100, lag_ms=35, cpu_us=120)]
                }
            },
        },
        "stalled": outcome_of(30, lag_ms=9),
        "unstalled": outcome_of(30, lag_ms=9),
        "paint": {"painted_ms": [40.0, 44.0, 42.0], "finished_ms": [1100.0, 1090.0, 1095.0], "tokens": [30, 30, 30]},
        "ladder": {
            name: [outcome_of(low, lag_ms=70, passed=True), outcome_of(high, lag_ms=900, passed=False)]
            for name, (low, high) in levels.items()
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [
        "| CPU per token, page, 100 × 30/s | 150 µs | ~75 µs = 0.50 × (0.50 – 0.50) | ≤ 0.55 × | yes |",  # disturbed
        "| CPU per token, API, 100 × 30/s | 100 µs | 60 µs = 0.60 × (0.60 – 0.60) | ≤ 0.55 × | **no** |",
        "| CPU per token, page, 300 streams | – | 80 µs | ≤ 85 µs | yes |",
        "| CPU per token, page, 500 streams | – | 70 µs | ≤ 65 µs | **no** |",
        "| streams on one core with p99 lag below 100 ms | – | 300 | ≥ 350 | **no** |",
        "| … of those of FastAPI, sync | – | 3.0 × | ≥ 2.3 × | yes |",
        "| … of those of FastAPI, queue | – | 1.5 × | ≥ 1.7 × | **no** |",
        "| first token at the page, p50, 60 starts in 4 s | boto3 +0.0 ms | boto3 +0.0 ms | boto3 + 2 ms | yes |",
        "| CPU of one run alone, begin and end | 8.0 ms | 8.0 ms | ≤ 10 ms | yes |",
        "| last token to finished turn at the page, p99 | 48.0 ms | ~48.0 ms | ≤ 20 ms | **no** |",
        "| 1 answer to 100 viewers, CPU per token and viewer | 9.0 µs | 9.0 µs | ≤ 8 µs | **no** |",
        "| daphne: CPU per token against uvicorn | – | 1.50 × | none: the difference | – |",
        "| `manage.py invoke_agent`, all of its CPU | 2.10 s | 0.60 s | ≤ 0.8 s | yes |",
        "| every token once and in order, every end told | – | every cell | every cell | yes |",
    ],
)
def test_a_target_shows_what_was_what_is_and_whether_it_is_met(row: str) -> None:
    assert row in targets(results()).splitlines()


def test_a_way_to_serve_that_is_not_there_says_why() -> None:
    each, shared = [line for line in targets(results()).splitlines() if line.startswith("| two processes")]

    assert "| not measured: there is no setting WEB_PROCESSES | ≤ 1.1 × | – |" in each
    assert "| not measured: there is no setting WEB_PROCESSES | none: the difference | – |" in shared


def test_two_processes_are_compared_with_one_that_is_as_busy_as_each() -> None:
    found = results()
    found["served"]["two"] = {
        "rounds": {
            "loom": [outcome_of(100, lag_ms=35, cpu_us=80)],
            "two": [outcome_of(100, lag_ms=35, cpu_us=120)],
            "two_each": [outcome_of(200, lag_ms=35, cpu_us=84)],
        }
    }
    each, shared = [line for line in targets(found).splitlines() if line.startswith("| two processes")]

    assert "| 1.05 × | ≤ 1.1 × | yes |" in each
    assert "| 1.50 × | none: the difference | – |" in shared


def test_without_an_older_tree_nothing_is_claimed_of_a_ratio() -> None:
    found = results()
    for what in ("ttft", "load", "alone", "fan_out", "command"):
        found[what] = {name: rounds for name, rounds in found[what].items() if not name.startswith("before")}

    assert "| CPU per token, page, 100 × 30/s | – | ~75 µs | ≤ 0.55 × | – |" in targets(found).splitlines()


def test_a_token_that_was_lost_in_any_cell_misses_the_target() -> None:
    found = results()
    found["fan_out"]["loom"][0]["is_correct"] = False

    assert targets(found).splitlines()[-1].endswith("| fan_out loom | every cell | **no** |")


def test_the_report_shows_what_was_measured_and_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "performance.md").write_text("# Figures of then\n\n<!-- by hand -->\n## Budget\n")

    write_report(results(), tmp_path / "performance.md", tmp_path / "streams.svg")
    page, picture = (tmp_path / "performance.md").read_text(), (tmp_path / "streams.svg").read_text()
    words = " ".join(page.split())

    assert "at commit abc1234, beside the tree of 0ld1234 (*Loom as it was*) (default run) on 2 processors" in words
    assert "load average 0.1 before and 2.5 after" in words
    assert "| ~Loom, page (WebSocket, HTML) | 17.5 | 35.0 | 75 | 12.0 | 48.0 | 50 |" in page
    assert "| Loom as it was, API | 17.5 | 35.0 | 100 | 12.0 | 48.0 | 50 |" in page
    assert "42 ms, 40 – 44" in page
    assert "Figures of then" not in page
    assert page.endswith("\n\n<!-- by hand -->\n## Budget\n")
    assert picture.count("<path ") == 3
