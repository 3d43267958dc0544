"""The scripted Strands events against those of a real agent with the same model output."""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

from apps.emulator.agents.scripts import sse_event
from apps.emulator.agents.strands_events import Cycle, StrandsRun, ToolUse
from apps.emulator.tests.running_emulator import running_emulator

REAL_AGENT = Path(__file__).with_name("real_agent.py")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>")
TOOL_ID = re.compile(r"tooluse_\w{8,}|tooluse_1\b")
MEASURED = re.compile(r"(cycle_durations=\[)[^\]]+|(total_time=)[\d.e-]+|(.timeToFirstByteMs.: )\d+")

CYCLES = [
    Cycle(["Let ", "me add."], ToolUse("add", {"a": 1, "b": 2}, "3"), 10, 5),
    Cycle([" It's ", "3."], None, 20, 7),
]
ADD = {
    "toolSpec": {
        "name": "add",
        "description": "Add two numbers.",
        "inputSchema": {
            "json": {
                "properties": {
                    "a": {"description": "Parameter a", "type": "integer"},
                    "b": {"description": "Parameter b", "type": "integer"},
                },
                "required": ["a", "b"],
                "type": "object",
            }
        },
    }
}


def masked(event: str) -> str:
    """Replace what differs from run to run."""
    text = TOOL_ID.sub("tooluse", OBJECT.sub("<object>", UUID.sub("UUID", event)))
    return MEASURED.sub(r"\1\2\3…", text)


def test_the_scripted_events_are_those_of_a_real_agent() -> None:
    with running_emulator("--seed", "1", "--runtimes", f"real_one=cmd:{sys.executable} {REAL_AGENT}") as emulator:
        _, body = emulator.invoke("real_one", payload=json.dumps({"prompt": "hi there", "mode": "raw"}))
    real = [masked(event) for event in body.decode().split("\n\n")[:-1]]

    run = StrandsRun(random.Random(1), "hi there", "Be brief.", [ADD])
    scripted = [
        masked(event) for each in run.events(CYCLES) for event in sse_event(each.value).decode().split("\n\n")[:-1]
    ]

    assert len(scripted) == len(real)
    for ours, theirs in zip(scripted, real, strict=True):
        assert ours == theirs
