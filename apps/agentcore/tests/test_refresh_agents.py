from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.agentcore.services import register_agent
from apps.agentcore.tests.runtimes import create_runtime, dead_address, update_runtime, wait_for_status
from apps.agents.models import Agent
from apps.agents.services import archive_agent

REGION = "eu-west-3"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("emulator")]


def run(*arguments: str) -> tuple[int, list[str], str]:
    """The command's exit status, the lines it printed, and what it complained about."""
    out, err, status, reason = io.StringIO(), io.StringIO(), 0, ""
    try:
        call_command("refresh_agents", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        status, reason = error.returncode, str(error)
    text = re.sub(r"in [0-9.]+ s", "in N s", out.getvalue())
    return status, text.splitlines(), err.getvalue() + reason


def registered(name: str) -> Agent:
    """An agent that is READY on AWS and in the registry."""
    arn = create_runtime(REGION, name)
    wait_for_status("READY", arn)
    return register_agent(arn=arn, user=None)


def test_all_agents_are_read_and_changes_told() -> None:
    changed, removed = registered("all_changed"), registered("all_removed")
    registered("all_same")
    archive_agent(agent=removed)
    update_runtime(changed.runtime.arn, metadataConfiguration={"requireMMDSV2": False})
    wait_for_status("READY", changed.runtime.arn)

    status, lines, complaint = run()

    assert (status, complaint) == (0, "")
    assert lines == [
        "all_changed (eu-west-3): version 1 → 2; obstacles none → No MMDSv2; endpoint DEFAULT 1 → 2",
        "all_same (eu-west-3): unchanged",
        "2 read, 1 of them changed, 0 gone, 0 not read in N s",
    ]
    changed.refresh_from_db()
    assert changed.version == "2"


def test_a_gone_agent_is_told_and_kept(make_agent: Callable[..., Agent]) -> None:
    gone = make_agent(name="nobody", status="READY")
    registered("still_there")

    status, lines, complaint = run()

    assert (status, complaint) == (1, "0 were not read, 1 are gone.")
    assert lines[0] == "nobody (us-east-1): gone: AWS no longer knows it; it keeps its last status, READY"
    before, version = gone.runtime.last_refreshed_at, gone.version
    gone.refresh_from_db()
    assert (gone.status, gone.version, gone.runtime.last_refreshed_at, gone.removed_at) == (
        "READY",
        version,
        before,
        None,
    )


def test_some_are_chosen_by_name_or_arn() -> None:
    by_name, by_arn = registered("by_name"), registered("by_arn")
    registered("not_chosen")

    status, lines, complaint = run("by_name", f"{by_arn.runtime.arn}/runtime-endpoint/DEFAULT", "nobody")

    assert status == 1
    assert lines == [
        "by_arn (eu-west-3): unchanged",
        f"{by_name.name} (eu-west-3): unchanged",
        "2 read, 0 of them changed, 0 gone, 0 not read in N s",
    ]
    assert complaint == "nobody: no such agent is registered.\n1 were not read, 0 are gone."


def test_where_nothing_can_be_read_the_exit_status_is_2(settings: Any, make_agent: Callable[..., Agent]) -> None:
    assert run("nobody")[::2] == (2, "nobody: no such agent is registered.\nNo agent could be read.")
    agent = make_agent(region="eu-south-1")
    assert run(agent.name[:-1])[2].startswith(
        f"{agent.name[:-1]}: no such agent is registered. Did you mean {agent.name}?\n"
    )
    with dead_address() as url:
        settings.EMULATOR_URL = url
        status, lines, complaint = run()

    assert (status, complaint) == (2, "AWS could not be reached.")
    assert lines[0].startswith("agent_1 (eu-south-1): not read: The connection could not be made.")


def test_an_empty_registry_is_no_failure() -> None:
    assert run() == (0, ["0 read, 0 of them changed, 0 gone, 0 not read in N s"], "")
