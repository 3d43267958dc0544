"""What a refresh changed, in the words that a reader is told it in."""

from __future__ import annotations

from collections.abc import Iterator

from apps.agents.models import Agent
from apps.aws.control import EndpointDescription


def state_of(agent: Agent, endpoints: list[EndpointDescription] | None = None) -> dict[str, str]:
    """What a reader follows from one refresh to the next.

    Of the agent's stored endpoints, or of these, which AWS just listed.
    """
    state = {
        "status": agent.status,
        "version": agent.version,
        "protocol": agent.runtime.protocol,
        "obstacles": ", ".join(obstacle.label for obstacle in agent.runtime.obstacles) or "none",
    }
    for endpoint in agent.endpoints.all() if endpoints is None else endpoints:
        state[f"endpoint {endpoint.name}"] = _pointer(endpoint.live_version, endpoint.target_version, endpoint.status)
    return state


def _pointer(live: str | None, target: str | None, status: str) -> str:
    """An endpoint in a few words: `2`, `2 to 3, UPDATING`."""
    move = f"{live or 'nothing'} to {target}" if target and target != live else live or "nothing"
    return move if status == "READY" else f"{move}, {status}"


def differences(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    """What differs between two states of an agent: `version 2 → 3`, `endpoint prod added (3)`."""
    for name, value in after.items():
        if name not in before:
            yield f"{name} added ({value})"
        elif before[name] != value:
            yield f"{name} {before[name]} → {value}"
    yield from (f"{name} removed" for name in before if name not in after)
