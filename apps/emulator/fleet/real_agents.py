"""Real agents behind the emulator, as configured: `name=http://127.0.0.1:8080, other=cmd:python main.py`."""

from __future__ import annotations

import re
import shlex
from urllib.parse import urlsplit

from apps.emulator.account import EmulatedAccount
from apps.emulator.agents.traits import CommandAgent, ServedAgent
from apps.emulator.config import EmulatorConfigError, is_loopback
from apps.emulator.registry import DEFAULT_ENDPOINT, Endpoint, Runtime, RuntimeVersion, stable_suffix

REGION = "us-east-1"
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,47}")
# A comma inside a command is part of it unless a name and an equals sign follow.
SEPARATOR = re.compile(r",\s*(?=[a-zA-Z][a-zA-Z0-9_]{0,47}=(?:https?://|cmd:))")
COMMAND_PREFIX = "cmd:"


def read_real_agents(text: str) -> dict[str, ServedAgent | CommandAgent]:
    """Read the setting; raises EmulatorConfigError for a name, address or command that cannot be used."""
    agents: dict[str, ServedAgent | CommandAgent] = {}
    for item in SEPARATOR.split(text.strip()) if text.strip() else []:
        name, _, target = item.strip().partition("=")
        if NAME.fullmatch(name) is None or not target:
            raise EmulatorConfigError(
                f"runtimes: {item.strip()!r} is not name=http://127.0.0.1:PORT or name=cmd:COMMAND"
            )
        if name in agents:
            raise EmulatorConfigError(f"runtimes: {name} is named twice")
        agents[name] = _read_command(name, target) if target.startswith(COMMAND_PREFIX) else _read_url(name, target)
    return agents


def register_real_agents(account: EmulatedAccount) -> None:
    """Put the agents of the configuration next to the demo ones, with stable ids."""
    now = account.clock.now()
    for name, traits in read_real_agents(account.config.runtimes).items():
        runtime = Runtime(
            runtime_id=f"{name}-{stable_suffix(REGION, name, 0)}",
            name=name,
            region=REGION,
            account_id=account.account_id,
            created_at=now,
            updated_at=now,
            traits=traits,
        )
        settings = {
            "agentRuntimeArtifact": {
                "codeConfiguration": {
                    "code": {"s3": {"bucket": f"agents-{account.account_id}", "prefix": f"{name}/deployment.zip"}},
                    "runtime": "PYTHON_3_11",
                    "entryPoint": ["main.py"],
                }
            },
            "roleArn": f"arn:aws:iam::{account.account_id}:role/AgentRuntimeRole",
            "description": "A real agent on this machine",
            "metadataConfiguration": {"requireMMDSV2": True},
        }
        runtime.versions[1] = RuntimeVersion(1, settings, now)
        runtime.endpoints[DEFAULT_ENDPOINT] = Endpoint(DEFAULT_ENDPOINT, 1, 1, now, now)
        account.registry.add(runtime)


def _read_command(name: str, target: str) -> CommandAgent:
    try:
        arguments = tuple(shlex.split(target.removeprefix(COMMAND_PREFIX)))
    except ValueError as error:
        raise EmulatorConfigError(f"runtimes: the command of {name} cannot be split: {error}") from error
    if not arguments:
        raise EmulatorConfigError(f"runtimes: the command of {name} is empty")
    return CommandAgent(arguments)


def _read_url(name: str, target: str) -> ServedAgent:
    parts = urlsplit(target)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        raise EmulatorConfigError(f"runtimes: {name} must be at an http:// address of this machine")
    return ServedAgent(target.rstrip("/"))
