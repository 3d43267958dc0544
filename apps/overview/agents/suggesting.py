"""What a newcomer asks first: a prompt for each of the demo's agents, and which of them is offered."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.agents.models import Agent
from apps.aws.arn import DEFAULT_QUALIFIER

# The demo measures their starts with these.
PROMPTS = {
    "claims_intake": "Check claim 4711: water damage in the kitchen, 1,850 euros.",
    "code_tutor": "Explain generators with a short example.",
    "contract_reviewer": "Which clauses of this lease are unusual?",
    "inventory_analyst": "What runs out this week?",
    "release_digest": "Summarise the notes of version 2.4.",
    "sentiment_scorer": "The delivery came late, but the support was wonderful.",
    "travel_concierge": "Two rainy days in Ghent by train.",
}
# These say in their log when they started, so a start of theirs is measured; the first that is there is offered.
OFFERED = ("travel_concierge", "code_tutor")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A prompt that begins a session, and with it a new environment. Its key makes a second click the same session."""

    agent: Agent
    prompt: str
    qualifier: str
    request_key: str = field(default_factory=lambda: str(uuid.uuid4()))


def suggestion_for(agents: Iterable[Agent]) -> Suggestion | None:
    """What to ask one of these, whose endpoints are at hand; None where none of the demo takes a prompt."""
    known = {agent.name: agent for agent in agents if _takes_prompts(agent)}
    name = next((name for name in (*OFFERED, *PROMPTS) if name in known), None)
    if name is None:
        return None
    names = [endpoint.name for endpoint in known[name].endpoints.all()] or [DEFAULT_QUALIFIER]
    qualifier = DEFAULT_QUALIFIER if DEFAULT_QUALIFIER in names else names[0]
    return Suggestion(known[name], PROMPTS[name], qualifier)


def _takes_prompts(agent: Agent) -> bool:
    return agent.is_ready and not agent.is_archived and hasattr(agent, "runtime") and not agent.runtime.obstacles
