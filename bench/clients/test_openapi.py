"""schemathesis, with a token, over everything that the API says of itself: it answers as it says, and never breaks.

Bounded: a fixed seed and a handful of examples for each operation. Not called: what deletes, what starts a series of
runs, and what answers with a stream of events, which schemathesis holds for one JSON value. Not checked: that a request
without a token fails (it may come with a cookie instead).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bench.clients.running import Loom

PROGRAM = str(Path(sys.executable).with_name("schemathesis"))
EXAMPLES = "5"
LEFT_OUT = ("--exclude-method=DELETE", "--exclude-path-regex=series|invoke$|events")
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"
# 502 is documented: AWS refused.
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 502]
"""
KNOWN = """
[parameters]
"path.agent_id" = {agent_id}
"path.session_id" = "{session_id}"
"path.number" = 1
"""


@pytest.mark.parametrize("is_known", [False, True], ids=["made-up", "of-a-real-session"])
def test_the_api_is_what_it_says(loom: Loom, tmp_path: Path, is_known: bool) -> None:
    """Once with ids that schemathesis invents, once with those of a session that answered."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG + (KNOWN.format(**session_of(loom)) if is_known else ""))
    bounds = ("--max-examples", EXAMPLES, "--seed", "7", "--request-timeout", "70", "--workers", "1")
    command = [PROGRAM, "--config-file", str(config), "run", f"{loom.url}/api/openapi.json", "--checks", CHECKS]
    command += ["--header", f"Authorization: Bearer {loom.token}", "--phases", "examples,coverage,fuzzing"]

    done = subprocess.run(
        [*command, *bounds, *LEFT_OUT],
        cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False, timeout=540,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-6000:]


def session_of(loom: Loom) -> dict[str, object]:
    """Let an agent answer once."""
    with httpx.Client(base_url=loom.url, headers=loom.headers, timeout=60) as http:
        agents = http.get("/api/agents").raise_for_status().json()
        agent_id = next(agent["id"] for agent in agents if agent["name"] == "travel_concierge")
        body = {"prompt": "hello", "stream": False}
        answer = http.post(f"/api/agents/{agent_id}/invoke", json=body).raise_for_status().json()
    return {"agent_id": agent_id, "session_id": answer["sessionId"]}
