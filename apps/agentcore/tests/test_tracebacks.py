"""Stack traces that were printed line by line, and which line tells of a run's error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from apps.agentcore.logs.matching import line_of
from apps.agentcore.logs.pages import ShownLine
from apps.agentcore.logs.reading import LogLine
from apps.agentcore.logs.tracebacks import put_together
from apps.agentcore.tests.test_log_lines import finished_run
from apps.agentcore.tests.test_log_views import AT, line
from apps.aws.logs.levels import read_level
from apps.sessions.models import Session

REQUEST = "0b9d6a52-7d1c-4f0e-9a34-5c6f7a8b9c0d"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793"


def printed(*texts: str, pause_ms: int = 1, stream: str = "stream") -> list[LogLine]:
    """Lines as a container prints them, one event each."""
    return [
        replace(line(text, read_level(text)), at=AT + timedelta(milliseconds=number * pause_ms), stream=stream)
        for number, text in enumerate(texts)
    ]


PYTHON = [
    "Traceback (most recent call last):",
    '  File "main.py", line 7, in invoke',
    "    night()",
    "KeyError: 'night'",
]
CHAINED = ["", "During handling of the above exception, another exception occurred:", "", *PYTHON]
JAVA = [
    "java.lang.IllegalStateException: no rate",
    "\tat app.Main.run(Main.java:7)",
    "Caused by: app.Lost",
    "\t... 3 more",
]
NODE = ["TypeError: x is undefined", "    at main (index.js:1:2)", "    at node:internal/main:5:6"]


@pytest.mark.parametrize(
    ("texts", "sizes", "levels"),
    [
        (["INFO a", *PYTHON, "INFO b"], [1, 4, 1], ["INFO", "ERROR", "INFO"]),
        ([*PYTHON, *CHAINED, "bye"], [11, 1], ["ERROR", ""]),
        (["ERROR: it broke", *PYTHON, "next"], [5, 1], ["ERROR", ""]),
        (["INFO quiet", *PYTHON], [1, 4], ["INFO", "ERROR"]),
        ([*JAVA, "INFO b"], [4, 1], ["ERROR", "INFO"]),
        ([*NODE, *NODE], [3, 3], ["ERROR", "ERROR"]),
        ([*PYTHON, *PYTHON], [4, 4], ["ERROR", "ERROR"]),
        (["a list:", "  one", "  two"], [1, 1, 1], ["", "", ""]),
        (['{"message": "x"}', "  at somewhere"], [1, 1], ["", ""]),
        ([PYTHON[0], '{"message": "x"}', "KeyError"], [1, 1, 1], ["ERROR", "", ""]),
        ([], [], []),
    ],
)
def test_a_trace_is_one_line_with_its_blanks_and_nothing_else_is_put_together(
    texts: list[str], sizes: list[int], levels: list[str]
) -> None:
    found = put_together(printed(*texts))

    assert [one.message.count("\n") + 1 for one in found] == sizes
    assert [one.level for one in found] == levels
    assert "\n".join(one.message for one in found) == "\n".join(texts)


def test_what_other_streams_write_meanwhile_stays_by_itself() -> None:
    mixed = [one for pair in zip(printed(*PYTHON), printed(*"abcd", stream="other"), strict=True) for one in pair]

    assert [one.message for one in put_together(mixed)] == ["\n".join(PYTHON), "a", "b", "c", "d"]


def test_lines_far_apart_are_no_trace() -> None:
    assert len(put_together(printed(*JAVA[:2], pause_ms=5_000))) == 2


def test_an_endless_trace_is_bounded() -> None:
    found = put_together(printed("Error: x", *["    at f (a.js:1:1)"] * 1_000, pause_ms=0))

    assert len(found) > 1 and max(one.message.count("\n") for one in found) < 400


@pytest.mark.parametrize(("frames", "is_open"), [(3, True), (60, False)])
def test_a_long_trace_is_folded(frames: int, is_open: bool) -> None:
    [trace] = put_together(printed("Error: x", *["    at f (a.js:1:1)"] * frames))

    assert ShownLine(trace).is_open is is_open
    assert ShownLine(trace, is_marked=True).is_open


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["INFO a", f"INFO request {REQUEST}", "ERROR b"], (1, "request")),
        ([f"ERROR {REQUEST} early", f"INFO {REQUEST}", "ERROR last"], (0, "request")),
        (["ERROR other", '{"traceId": "5759e988bd862e3fe1be46a994272793"}'], (1, "trace")),
        (["ERROR other", "WARN X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793"], (1, "trace")),
        (["ERROR a", "INFO b", "ERROR c"], (2, "error")),
        (["INFO a", "WARNING b"], None),
        ([], None),
    ],
)
def test_the_line_of_an_error_is_known_by_its_ids_before_its_time(
    make_session: Callable[..., Session], texts: list[str], found: tuple[int, str] | None
) -> None:
    run = finished_run(make_session(), completed_at=AT + timedelta(seconds=9), request_id=REQUEST, trace_id=TRACE)
    lines = printed(*texts)
    match = line_of(lines, run)

    assert (None if match is None else (lines.index(match.line), match.by)) == found


@pytest.mark.django_db
@pytest.mark.parametrize("ids", [{"request_id": ""}, {"request_id": "x"}, {"trace_id": "x"}])
def test_without_ids_nothing_is_named_and_a_good_run_has_no_line_of_an_error(
    make_session: Callable[..., Session], ids: dict[str, Any]
) -> None:
    failed = finished_run(make_session(), **ids)
    assert line_of(printed("INFO x", "INFO"), failed) is None

    good = finished_run(make_session(), status="completed", error_message="", request_id=REQUEST)
    assert line_of(printed(f"INFO {REQUEST}"), good) is None
