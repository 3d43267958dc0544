"""Runs rated, tagged, compared, shared and deleted, and prompt sets made and changed, as a person types it."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from loom.cli.prompt_sets import prompt_at, set_lines
from loom.tests.fixtures import Loom
from loom.tests.programs.test_terminal import run
from loom_client import PromptSet


def asked(loom: Loom, prompt: str) -> tuple[str, int]:
    """The session and the id of a run that answered."""
    _, answer = loom.post(
        f"/api/agents/{loom.agent_id('sentiment_scorer')}/invoke", {"prompt": prompt, "stream": False}
    )
    session = answer["session_id"]
    told = loom.get(f"/api/agents/{loom.agent_id('sentiment_scorer')}/sessions/{session}")[1]
    return session, told["invocations"][-1]["id"]


@pytest.mark.slow("some twenty commands, each a process of its own")
def test_runs_are_rated_tagged_compared_shared_and_deleted(loom: Loom) -> None:
    session, first = asked(loom, "A lovely day")
    _, second = asked(loom, "A dreadful day")

    rated = run(loom, "rate", str(first), "down", "--note", "Too short \x1b[2J")
    assert rated.stdout.startswith(f"Run {first}: bad answer: Too short"), rated.stderr
    assert "\x1b" not in rated.stdout
    assert json.loads(run(loom, "rate", str(first), "--json").stdout)["thumb"] == "down"
    assert run(loom, "rate", str(first), "--remove").stdout == f"Run {first} is not rated by you.\n"

    assert run(loom, "tag_runs", "lesson", str(first), str(second)).stdout == "2 runs are tagged lesson.\n"
    assert len(run(loom, "runs", "--tag", "lesson").stdout.splitlines()) == 2
    assert run(loom, "tag_runs", "lesson", str(second), "--remove").stdout == "lesson is taken from 1 run.\n"

    saved = run(loom, "views", "--save", "Of the lesson", "tag=lesson").stdout
    key = re.findall(r"^\[(\d+)\] Of the lesson  http://.*/runs/\?tag=lesson$", saved, re.MULTILINE)[0]
    assert run(loom, "views", "--remove", key).stdout == "No view is saved.\n"
    assert "cannot be asked for 'colour'" in run(loom, "views", "--save", "x", "colour=red").stderr

    shown = run(loom, "compare", str(first), str(second)).stdout
    assert re.search(rf"^1\. run {first}  sentiment_scorer:DEFAULT.* TTFT .* · total .* · tokens ", shown, re.MULTILINE)
    assert "--- 1 and 2" in shown
    assert json.loads(run(loom, "compare", str(first), str(second), "--json").stdout)["text"]["pieces"]
    assert run(loom, "compare", str(first)).returncode == 1

    made = run(loom, "share", "sentiment_scorer", session, "--make", "--days", "2")
    url = made.stdout.strip()
    with urllib.request.urlopen(url) as page:  # noqa: S310 -- of the Loom that runs here
        assert "A lovely day" in page.read().decode()
    key = re.findall(r"^\[(\d+)\] until", made.stderr)[0]
    assert f"[{key}]" in run(loom, "share", "sentiment_scorer", session).stdout
    assert "revoked" in run(loom, "share", "sentiment_scorer", session, "--revoke", key).stdout

    kept = run(loom, "delete_runs", str(first))
    assert (kept.returncode, "Say --yes." in kept.stderr) == (1, True)
    assert run(loom, "delete_runs", str(first), "--yes").stdout == f"Deleted: {first}.\n"
    assert run(loom, "delete_runs", str(first), "--yes").stderr.strip() == f"CommandError: No run {first}."


@pytest.mark.slow("some twenty commands, each a process of its own")
def test_a_prompt_set_is_made_changed_run_and_deleted(loom: Loom, tmp_path: Path) -> None:
    file = tmp_path / "trips.csv"
    file.write_text("prompt,contains\nTwo days in Ghent,Ghent\nTwo days in Bruges,Bruges\n")

    def sets(*arguments: str) -> str:
        done = run(loom, "prompt_sets", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert re.match(
        r'\[\d+\] Trips\n1\. Two days in Ghent\n     contains: text "Ghent"\n2\. ', sets("Trips", "--make", str(file))
    )
    more = tmp_path / "more.jsonl"
    more.write_text('{"prompt": "日本で三日"}\n')
    assert "3. 日本で三日" in sets("Trips", "--add", str(more))
    assert sets("Trips", "--move", "3", "1").splitlines()[1] == "1. 日本で三日"
    assert "1. Three days in Japan" in sets("Trips", "--edit", "1", "Three days in Japan")
    assert 'regex: pattern "J.pan"' in sets("Trips", "--checks", "1", '[{"kind": "regex", "pattern": "J.pan"}]')
    assert "Japan" not in sets("Trips", "--remove", "1")
    assert len(sets("Trips", "--export", "jsonl").splitlines()) == 2
    assert re.match(r"\[\d+\] Travel\n", sets("Trips", "--rename", "Travel"))
    assert sets("Travel", "--results") == "It was not run yet.\n"
    assert run(loom, "run_prompt_set", "Travel", "--target", "travel_concierge", "--fail-under", "0").returncode == 0
    plan = re.findall(r"^\[(\d+)\] \S+Z  done       2 of 2 runs$", sets("Travel", "--results"))[0]
    assert sets("Travel", "--results", plan).startswith("travel_concierge:DEFAULT: ")
    for arguments, told in (
        (("Travel", "--edit", "9", "x"), "the prompts 1 to 2, and none with the number 9"),
        (("Travel", "--checks", "1", "["), "--checks takes a JSON list"),
        (("Travel", "--add", str(tmp_path / "none.csv")), "cannot be read"),
        (("Nowhere",), "No prompt set is called 'Nowhere'"),
        (("--delete",), "Say the name of a set first."),
    ):
        refused = run(loom, "prompt_sets", *arguments)
        assert (refused.returncode, told in refused.stderr) == (1, True), refused.stderr
    assert sets("Travel", "--delete") == "Deleted: Travel.\n"


def prompts(*texts: str, **fields: Any) -> PromptSet:
    found = [{"id": at, "prompt": text, "checks": [], "mark": "m"} for at, text in enumerate(texts)]
    return PromptSet(1, fields.get("name", "Trips"), "a@example.com", len(found), "2026-11-20", prompts=found)


def test_what_somebody_called_a_set_steers_no_terminal() -> None:
    lines = list(set_lines(prompts("\x1b]0;x\x07 one\ntwo", name="\x1b[31mTrips")))
    assert "\x1b" not in "".join(lines) and "\n" not in "".join(lines)


@pytest.mark.parametrize("number", ["0", "-1", "3", "x", "9" * 40, "²"])
def test_a_number_that_no_prompt_has_is_refused(number: str) -> None:
    with pytest.raises(Exception, match="the prompts 1 to 2"):
        prompt_at(prompts("one", "two"), number)
    assert prompt_at(prompts("one", "two"), "2")["prompt"] == "two"


@pytest.mark.slow("some commands, each a process of its own")
def test_agents_are_listed_tagged_and_starred(loom: Loom) -> None:
    asked(loom, "A lovely day")
    key = str(loom.agent_id("sentiment_scorer"))

    tagged = run(loom, "change_agents", "tag", "sentiment_scorer", "code_tutor", "--tag", "demo")
    assert tagged.stdout == "sentiment_scorer: tagged demo\ncode_tutor: tagged demo\n", tagged.stderr
    assert run(loom, "change_agents", "star", key).stdout == f"agent {key}: has your star\n"
    lines = run(loom, "agents", "--tag", "demo").stdout.splitlines()
    assert [re.split(r"\s+\*?\s*", line.strip())[1] for line in lines] == ["sentiment_scorer", "code_tutor"]
    assert " * sentiment_scorer" in lines[0] and lines[0].endswith("[demo]")
    starred = json.loads(run(loom, "agents", "--favourite", "--json").stdout)
    assert [(agent["name"], agent["tags"]) for agent in starred] == [("sentiment_scorer", ["demo"])]
    assert run(loom, "change_agents", "untag", key, "--tag", "demo").returncode == 0
    assert run(loom, "change_agents", "unstar", key).returncode == 0
    assert run(loom, "agents", "--tag", "none such").returncode == 1
    assert "Give --tag with tag" in run(loom, "change_agents", "tag", key).stderr
