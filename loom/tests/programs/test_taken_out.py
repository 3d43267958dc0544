"""Programs that were taken out of a whole Loom are run as they are, against it and against its emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loom.tests.fixtures import ROOT, Loom
from loom.tests.visiting import Prompt, manage, newest_run
from loom_client import Client

PROMPT = "It's \"quoted\", $HOME `id` %s %% \\n !x\nsecond line: Köln 日本 🚂 '; exit 7; '"


def run(loom: Loom, folder: Path, *command: str) -> str:
    """Run a program with a token to invoke; return what it wrote."""
    token = manage(loom, "create_token", "--scope", "invoke", "--name", "a test").strip()
    environment = {**loom.environment, "LOOM_TOKEN": token, "PYTHONPATH": str(ROOT / "packages")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow("runs four programs, each a Python of its own, beside a whole Loom")
def test_a_run_is_sent_again_by_each_program(loom: Loom, tmp_path: Path) -> None:
    agent_id = loom.agent_id("sentiment_scorer")
    Prompt(loom, agent_id, PROMPT).finish()
    first = newest_run(loom).row
    client = Client(loom.url)

    def sent_by(name: str, *program: str) -> str:
        script = tmp_path / f"{name}.txt"
        script.write_bytes(client.export_run(first["pk"], name))
        return run(loom, tmp_path, *program, str(script))

    for name, program in (("curl", "sh"), ("loom_client", sys.executable)):
        said = sent_by(name, program)
        again = newest_run(loom).row
        assert again["pk"] != first["pk"] and again["session"] != first["session"]
        assert json.loads(again["payload"]) == json.loads(first["payload"]) == {"prompt": PROMPT}
        assert said.strip()

    count = newest_run(loom).row["pk"]
    assert sent_by("boto3", sys.executable).strip()
    assert newest_run(loom).row["pk"] == count  # past Loom, to the emulator


def test_a_session_is_written_and_its_evidence_checked_by_commands(loom: Loom, tmp_path: Path) -> None:
    Prompt(loom, loom.agent_id("sentiment_scorer"), "A lovely day").finish()
    session_id = client_session(loom)
    assert manage(loom, "export_session", session_id).startswith("# A lovely day")
    file = tmp_path / "evidence.json"
    file.write_text(manage(loom, "export_session", session_id, "--run", "1", "--format", "evidence"))
    verdict = json.loads(manage(loom, "check_evidence", str(file)))
    assert (verdict["is_intact"], verdict["is_signed_here"], verdict["are_figures_same"]) == (True, True, True)
    assert "# A new session" in manage(loom, "export_session", session_id, "--run", "1", "--format", "curl")


def client_session(loom: Loom) -> str:
    """The runtime session id of the newest run."""
    agent_id = loom.agent_id("sentiment_scorer")
    return Client(loom.url).sessions(agent_id, limit=1)[0].session_id
