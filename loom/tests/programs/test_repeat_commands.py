"""`repeat` and `queue` as a person types them, beside a running Loom."""

from __future__ import annotations

import json
import re

from loom.tests.fixtures import Loom
from loom.tests.programs.test_terminal import run
from loom.tests.running import wait_until


def test_a_run_is_sent_again_and_what_waits_is_shown_changed_and_let_go(loom: Loom) -> None:
    agent = loom.agent_id("travel_concierge")
    _, answer = loom.post(f"/api/agents/{agent}/invoke", {"prompt": "Two days in Ghent", "stream": False})
    session = answer["session_id"]
    path = f"/api/agents/{agent}/sessions/{session}"
    first = loom.get(path)[1]["invocations"][0]["id"]

    done = run(loom, "repeat", str(first), "--qualifier", "prod")
    assert done.returncode == 0, done.stderr
    assert "Two days in Ghent" in done.stdout
    assert re.search(r"prod · session [0-9a-f-]{36} · run 1 \(id \d+\)", done.stderr)
    told = json.loads(run(loom, "repeat", str(first), "--json").stdout)
    assert (told["session_id"], told["invocation"], told["repeated_from"]) == (session, 2, first)
    unknown = run(loom, "repeat", "999999")
    assert (unknown.returncode, unknown.stderr.strip()) == (1, "CommandError: No run 999999.")

    loom.emulator.order(kind="silence", after_chunks=1, seconds=3_600)
    queue = ("queue", "travel_concierge", session)
    assert "Sent at once: run 3." in run(loom, *queue, "--add", "And in the rain?").stderr
    for prompt in ("And on Monday?", "And on Tuesday?"):
        shown = run(loom, *queue, "--add", prompt).stdout
    monday, tuesday = re.findall(r"\[(\d+)\]", shown)
    assert run(loom, *queue, "--move", tuesday, "1").stdout.splitlines() == [
        f"1. [{tuesday}] And on Tuesday?", f"2. [{monday}] And on Monday?"
    ]  # fmt: skip
    run(loom, *queue, "--edit", monday, "And on Sunday?")
    assert run(loom, *queue, "--remove", tuesday).stdout == f"1. [{monday}] And on Sunday?\n"
    assert loom.post(f"{path}/stop", {})[0] == 202
    wait_until(lambda: loom.get(f"{path}/queue")[1]["is_held"], "it is held")
    assert run(loom, *queue).stdout.startswith("Held: the answer was stopped.")
    assert "Sent: run 4." in run(loom, *queue, "--send").stderr
    assert json.loads(run(loom, *queue, "--json").stdout)["items"] == []


def test_sessions_are_archived_deleted_and_brought_back(loom: Loom) -> None:
    agent = loom.agent_id("sentiment_scorer")
    _, answer = loom.post(f"/api/agents/{agent}/invoke", {"prompt": "A kept one", "stream": False})
    path = f"/api/agents/{agent}/sessions/{answer['session_id']}"
    key = loom.get(path)[1]["public_id"]
    nobody = "00000000-0000-4000-8000-000000000000"

    assert run(loom, "keep_session", "archive", key).stdout == f"{key}: archived\n"
    assert loom.get(path)[1]["archived_at"] is not None
    assert run(loom, "keep_session", "pin", key).returncode == 0
    assert (loom.get(path)[1]["archived_at"], loom.get(path)[1]["is_pinned"]) == (None, True)
    some = run(loom, "keep_session", "delete", nobody, key)
    assert (some.returncode, some.stdout) == (1, f"{key}: deleted; for an hour `restore` brings it back\n")
    assert f"No session {nobody}." in some.stderr and "1 of 2 were not done." in some.stderr
    assert loom.get(path)[0] == 404
    assert run(loom, "keep_session", "restore", key).stdout == f"{key}: there again\n"
    assert loom.get(path)[0] == 200
