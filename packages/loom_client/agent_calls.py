"""What the client does with agents: finding, registering, starring, and changing several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from loom_client.errors import AmbiguousAgentError, UnknownAgentError
from loom_client.registered import Agent, AgentOutcome
from loom_client.wire import Wire
from loom_client.wording import did_you_mean, in_sentences

NAMES_LISTED = 8


class AgentCalls(Wire):
    """Agents, one and several."""

    def agents(self, text: str = "", **query: Any) -> list[Agent]:
        """The registered agents that say every word of `text`, by name; `query` in the words of the API: kind, status,
        tag, owner, region, account, version, favourite, state, sort, limit, offset.
        """
        asked = {"q": text or None, **query}
        given = {name: value for name, value in asked.items() if value is not None}
        return [Agent.read(item) for item in self._json("GET", f"/agents?{urlencode(given)}" if given else "/agents")]

    def agent(self, agent_id: int) -> Agent:
        return Agent.read(self._json("GET", f"/agents/{agent_id}"))

    def find_agent(self, text: str) -> Agent:
        """The agent of this id, name or ARN. Raises UnknownAgentError; AmbiguousAgentError for a name of several."""
        agents = self.agents()
        found = [agent for agent in agents if text in {str(agent.id), agent.arn}]
        found = found or [agent for agent in agents if agent.name == text]
        if not found:
            raise UnknownAgentError(in_sentences(f"No agent is called {text!r}", _instead(text, agents)))
        if len(found) > 1:
            lines = "\n".join(f"  {agent.id}  {agent.arn}" for agent in found)
            raise AmbiguousAgentError(f"Several agents are called {text!r}; give the id or the ARN:\n{lines}")
        return found[0]

    def register(self, arn: str) -> Agent:
        return Agent.read(self._json("POST", "/agents", {"arn": arn}))

    def refresh(self, agent_id: int) -> Agent:
        """Read an agent from AWS again."""
        return Agent.read(self._json("POST", f"/agents/{agent_id}/refresh"))

    def archive(self, agent_id: int) -> None:
        """Hide an agent; its history stays."""
        self._json("DELETE", f"/agents/{agent_id}")

    def change_agents(self, action: str, agent_ids: Sequence[int], tag: str = "") -> list[AgentOutcome]:
        """Do the same to several agents: refresh, archive, revive, or tag and untag with a tag; what became of each."""
        body = {"action": action, "agent_ids": list(agent_ids), "tag": tag}
        return [AgentOutcome.read(item) for item in self._json("POST", "/agents/together", body)["items"]]

    def star(self, agent_id: int) -> None:
        """Give an agent your star, which you alone see."""
        self._json("PUT", f"/agents/{agent_id}/star")

    def unstar(self, agent_id: int) -> None:
        self._json("DELETE", f"/agents/{agent_id}/star")


def _instead(text: str, agents: list[Agent]) -> str:
    """What to say to somebody who named an agent that there is not."""
    names = sorted({agent.name for agent in agents})
    if question := did_you_mean(text, names):
        return question
    if not names:
        return "None is registered"
    if len(names) > NAMES_LISTED:
        return f"{len(names)} are registered; none is called like this"
    return f"Registered are: {', '.join(names)}"
