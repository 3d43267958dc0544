"""A test that computes for long must say why: mark it `slow("why")`, or make it quicker.

The clock is the computing of this process and of the children that a test started and saw end. It stands still while
a test waits, and runs no faster where other programs keep the machine busy; a clock on the wall would fail tests there.
How long tests took by that one is only told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

TOLD_FROM_S = 15.0
_PROPERTY = "computing_s"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("computing_limit_s", "seconds of computing after which a test not marked slow fails", default="inf")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow(why): computes for longer than computing_limit_s allows")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("slow"):
            if not (len(marker.args) == 1 and isinstance(marker.args[0], str) and marker.args[0].strip()):
                raise pytest.UsageError(f"{item.nodeid}: slow needs the reason, as slow('starts a whole Loom')")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    began_s = _computed_s()
    yield
    spent_s = _computed_s() - began_s
    item.user_properties.append((_PROPERTY, spent_s))
    limit_s = float(item.config.getini("computing_limit_s"))
    if spent_s > limit_s and not any(item.iter_markers("slow")) and not any(item.iter_markers("deep")):
        pytest.fail(
            f"It computed for {spent_s:.1f} s, more than the {limit_s:g} s of computing_limit_s. "
            "Make it quicker, or mark it slow with the reason.",
            pytrace=False,
        )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    calls = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    long = sorted((report for report in calls if report.duration > TOLD_FROM_S), key=lambda report: -report.duration)
    if long:
        terminalreporter.section(f"longer than {TOLD_FROM_S:g} s")
    for report in long:
        spent_s = dict(report.user_properties)[_PROPERTY]
        terminalreporter.line(f"{report.duration:6.1f} s, computing {spent_s:4.1f} s  {report.nodeid}")


def _computed_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
