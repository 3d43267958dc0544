"""A database that the landed version filled keeps every row, id, URL and answer: forward, back, and forward again."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from loom.tests.upgrades.answers import differences
from loom.tests.upgrades.driving import Database

# What the landed version's code answered about its own 60 invocations; see `test_the_stored_answers…`.
STORED = Path(__file__).with_name("landed_60.json")
SMALL, DEEP = 60, 100_000
# That line says that something was alive, not that the agent began: it was no cold start, and is none any more.
TAKEN_BACK = re.compile(r" cold_start_latency_ms: [\d.]+ became None\Z")
THERE_AND_BACK = (
    "former_tags",
    "forward",
    "rows",
    "tags",
    "answers",
    "back",
    "rows",
    "forward",
    "rows",
    "tags",
    "answers",
)


def upgrade_and_compare(database: Database, before: dict[str, str], expected: dict[str, Any]) -> None:
    """Go forward, back and forward, and compare after each with what was."""
    tags, _, upgraded, copied, first, _, undone, _, again, copied_again, second = database.take(*THERE_AND_BACK)

    for after, rows in (("forward", upgraded), ("back", undone), ("forward again", again)):
        assert differences(before, rows) == [], f"after going {after}"
    assert tags and (copied, copied_again) == (tags, tags)
    assert lost(expected, first) == []
    assert lost(expected, second) == []


def lost(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """What is no longer answered, but for the starts of which only the first line of a log is known."""
    found = differences(expected, actual)
    taken_back = [line for line in found if TAKEN_BACK.search(line)]
    said = json.dumps(expected)
    cold_count = said.count('"cold_start_latency_ms": ') - said.count('"cold_start_latency_ms": null')
    assert len(taken_back) < cold_count / 2, "those are a few"
    return [line for line in found if line not in taken_back]


@pytest.mark.slow("migrates forward, back and forward, each in a process of its own")
def test_a_small_database_keeps_everything(database: Database) -> None:
    _, _, before = database.take("create", f"fill:{SMALL}", "rows")

    upgrade_and_compare(database, before, json.loads(STORED.read_text()))


@pytest.mark.deep
def test_a_large_database_keeps_everything(database: Database, landed_code: Path) -> None:
    _, _, before = database.take("create", f"fill:{DEEP}", "rows")
    expected = database.answers_of(landed_code)

    upgrade_and_compare(database, before, expected)

    assert before["agent_sessions_invocation"] == f"{DEEP} rows"
    sys.stdout.write(f"\n{database.url.partition(':')[0]}, {DEEP:,} invocations, {len(expected)} answers\n")
    sys.stdout.write("".join(f"  {step:<14}{seconds:>8.1f} s\n" for step, seconds in database.seconds))


@pytest.mark.deep
def test_the_stored_answers_are_those_of_the_landed_version(database: Database, landed_code: Path) -> None:
    database.take("create", f"fill:{SMALL}")

    assert database.answers_of(landed_code) == json.loads(STORED.read_text())


def test_the_rows_are_of_every_kind() -> None:
    """Whatever a migration treats apart from the rest is among the rows that the small test compares."""
    stored = json.loads(STORED.read_text())
    agents = [agent for path, answer in stored.items() if path.endswith(" /api/agents") for agent in answer]
    runs = [run for answer in stored.values() if isinstance(answer, dict) for run in answer.get("invocations", [])]
    events = [name for path, answer in stored.items() if "/events?" in path for name, _ in answer]

    assert {agent["origin"] for agent in agents} == {"emulator", "aws"}
    assert {agent["authorizer"] for agent in agents} == {"iam", "jwt"}
    assert {(run["status"], run["reason"]) for run in runs} == {
        ("complete", ""), ("error", "failed"), ("error", "stopped"), ("error", "interrupted"), ("pending", ""),
        ("streaming", ""),
    }  # fmt: skip
    assert {run["start_kind"] for run in runs} == {"created", "pooled", "reused", "unknown", None}
    assert {"session_start", "chunk", "detail", "session_end", "error"} == set(events)


def test_what_is_lost_or_changed_is_named_and_what_is_new_is_not() -> None:
    expected = {"a": [{"id": 1, "arn": "x"}], "b": 2, "c": 3}
    actual = {"a": [{"id": 1, "arn": "y", "kind": "agentcore"}], "b": 2, "new": None}

    assert differences(expected, actual) == ["has no c", "a[0] arn: 'x' became 'y'"]
    assert differences([1, 2], [1]) == [": [1, 2] became [1]"]
