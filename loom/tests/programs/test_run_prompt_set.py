"""A prompt set as continuous integration runs it: a whole Loom, the command, its exit status and its JUnit XML."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from loom.cli.prompt_sets import failure, find_target, write_junit
from loom.tests.fixtures import ROOT, Loom
from loom_client import Plan

PROMPTS = [
    {"prompt": "Two days in Ghent", "checks": [{"kind": "contains", "text": "Ghent"}]},
    {"prompt": "Three days in Bruges", "checks": [{"kind": "contains", "text": "no agent says this"}]},
]


def run(loom: Loom, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "run_prompt_set", *arguments, "--url", loom.url],
        cwd=ROOT, env=loom.environment, check=False, capture_output=True, text=True, timeout=240,
    )  # fmt: skip


def test_it_fails_below_the_share_and_writes_what_failed(loom: Loom, tmp_path: Path) -> None:
    status, made = loom.post("/api/prompt-sets", {"name": "Trips", "prompts": PROMPTS})
    assert status == 201, made
    junit = tmp_path / "trips.xml"
    enough = run(loom, "Trips", "--target", "travel_concierge", "--fail-under", "0.5", "--junit", str(junit))
    # How often it looks while they go on, and whether it sees the last one end before the plan does, nobody knows.
    told = {f"{number} of 2 runs are over" for number in range(3)}
    assert enough.returncode == 0 and set(enough.stderr.splitlines()) <= told, enough.stderr
    assert enough.stdout.startswith("travel_concierge:DEFAULT: 1 of 2 prompts passed, 50% (95 %: 9% – 91%)")
    [suite] = ElementTree.parse(junit).getroot()  # noqa: S314 -- our own file
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("travel_concierge:DEFAULT", "2", "1")
    assert [case.get("name") for case in suite] == ["1: Two days in Ghent", "2: Three days in Bruges"]
    [failed] = suite.findall("testcase/failure")
    assert failed.get("message") == "contains: it is not in the answer"

    below = run(loom, "Trips", "--target", "travel_concierge:DEFAULT", "--fail-under", "0.9", "--json")
    assert below.returncode == 1 and "Below 0.9: travel_concierge:DEFAULT" in below.stderr
    assert json.loads(below.stdout)["passed"]["count"] == 1
    unknown = run(loom, "Trip", "--target", "travel_concierge")
    assert unknown.returncode == 1 and "No prompt set is called 'Trip'" in unknown.stderr and "Trips" in unknown.stderr


PASSED = {"count": 9, "n": 10, "share": 0.9, "low": 0.6, "high": 0.98}


def plan(**overrides: Any) -> Plan:
    fields: dict[str, Any] = {
        "id": 1, "name": "Trips", "source": "prompt_set", "prompt_set_id": 1, "state": "done", "message": "",
        "order": "random", "seed": 7, "run_count": 2, "done": 2, "passed": PASSED, "comparisons": [], "prompts": ["a"],
        "targets": [{"agent_name": "one", "qualifier": "DEFAULT", "passed": PASSED}], "runs": [],
    }  # fmt: skip
    return Plan(**{**fields, **overrides})


@pytest.mark.parametrize(
    ("found", "fail_under", "told"),
    [
        (plan(), 0.9, ""),
        (plan(), 0.91, "Below 0.91: one:DEFAULT"),
        (plan(done=1, message="The time is over."), 0.0, "The plan was done after 1 of 2 runs. The time is over."),
        (plan(state="failed"), 0.0, "The plan was failed after 2 of 2 runs"),
    ],
)
def test_every_run_has_to_be_made_and_every_target_reaches_the_share(found: Plan, fail_under: float, told: str) -> None:
    assert failure(found, fail_under).rstrip(".") == told.rstrip(".")


def test_whatever_was_asked_is_xml_in_the_end_and_what_never_began_is_skipped(tmp_path: Path) -> None:
    said = {
        "target": 0, "prompt": 0, "repeat": 0, "run_id": 5, "session_id": "s", "status": "failed", "has_passed": False,
        "findings": [{"kind": "run", "has_passed": False, "reason": "the run failed"}], "total_latency_ms": 1500.0,
    }  # fmt: skip
    found = plan(prompts=["\x00]]> <b>&\ud800\x1b"], runs=[said], message="Over.")
    write_junit(found, tmp_path / "a.xml")

    [suite] = ElementTree.parse(tmp_path / "a.xml").getroot()  # noqa: S314 -- our own file
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")]
    assert counts == ["2", "0", "1", "1", "1.500"]
    assert suite[0].get("name") == "1: \ufffd]]> <b>&\ufffd\ufffd"


class _Agents:
    """What of a client names agents."""

    def find_agent(self, text: str) -> SimpleNamespace:
        return SimpleNamespace(id={"one": 1, "arn:aws:x:y:1:runtime/one-A": 2}[text])


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("one", (1, "DEFAULT")),
        ("one:canary", (1, "canary")),
        ("arn:aws:x:y:1:runtime/one-A", (2, "DEFAULT")),
        ("arn:aws:x:y:1:runtime/one-A:canary", (2, "canary")),
    ],
)
def test_a_target_is_an_agent_and_an_endpoint(text: str, target: tuple[int, str]) -> None:
    client: Any = _Agents()
    assert find_target(client, text) == target
