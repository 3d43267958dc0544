"""What is behind a runtime: the part of it that AWS would know from the artifact."""

from __future__ import annotations

from dataclasses import dataclass

from apps.emulator.agents.scripts import Script


@dataclass(frozen=True)
class ScriptedAgent:
    """An agent played from a script. `boot_lines` are printed while its environment starts.

    `has_spans`: its telemetry writes spans to the account's group of them; `has_otel`: records beside its own lines.
    """

    script: Script
    image_mb: int = 200
    boot_lines: tuple[str, ...] = ()
    has_otel: bool = False
    has_spans: bool = False


@dataclass(frozen=True)
class ServedAgent:
    """A real agent that is already running at a loopback URL and serves the container contract."""

    url: str


@dataclass(frozen=True)
class CommandAgent:
    """A real agent started once per session by a command (split as a shell would, run without one)."""

    arguments: tuple[str, ...]


AgentTraits = ScriptedAgent | ServedAgent | CommandAgent
