"""What the demo agents say: inert texts of our own, one file each, the nth for the nth turn of a session.

`{prompt}` stands for the user's prompt on one line, `{version}` for the version that answers.
"""

from __future__ import annotations

from pathlib import Path

TEXTS = Path(__file__).with_name("texts")


def _read(*names: str) -> tuple[str, ...]:
    return tuple((TEXTS / f"{name}.md").read_text(encoding="utf-8").rstrip("\n") for name in names)


TRAVEL = _read("travel_concierge_1", "travel_concierge_2")
TRAVEL_BRIEF = _read("travel_concierge_before_1")
CONTRACT = _read("contract_reviewer_1", "contract_reviewer_2")
TUTOR = _read("code_tutor_1", "code_tutor_2")
CLAIMS = _read("claims_intake_1")
HELLO = _read("new_agent_1")
