"""What the demo agents say: inert texts of our own, one file each, the nth for the nth turn of a session.

`{prompt}` stands for the user's prompt on one line, `{version}` for the version that answers.
"""

from __future__ import annotations

from pathlib import Path

TEXTS = Path(__file__).with_name("texts")


def _read(*names: str) -> tuple[str, ...]:
    return tuple((TEXTS / f"{name}.md").read_text(encoding="utf-8").rstrip("\n") for name in names)


# Nobody is to think that an agent has mistaken the question.
SCRIPTED = "\n\n*Scripted demo answer: it is the same whatever you ask.*"


def _scripted(*names: str) -> tuple[str, ...]:
    return tuple(f"{text}{SCRIPTED}" for text in _read(*names))


TRAVEL = _scripted("travel_concierge_1", "travel_concierge_2")
TRAVEL_BRIEF = _scripted("travel_concierge_before_1")
CONTRACT = _scripted("contract_reviewer_1", "contract_reviewer_2")
TUTOR = _scripted("code_tutor_1", "code_tutor_2")
CLAIMS = _read("claims_intake_1")
HELLO = _read("new_agent_1")
