from __future__ import annotations

import csv
import io
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.agentcore.importing.discovery import DISCOVER_ADVICE
from apps.agentcore.services import register_agent
from apps.agentcore.tests.conftest import OrderFault
from apps.agentcore.tests.runtimes import JWT_AUTHORIZER, create_runtime, create_runtimes, dead_address, unknown_arn
from apps.agents.models import Agent

REGION = "eu-west-2"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("emulator")]


def run(*arguments: str, out: io.StringIO | None = None) -> tuple[int, list[str], str]:
    """The command's exit status, the lines it printed, and what it complained about."""
    out, err, status, reason = out or io.StringIO(), io.StringIO(), 0, ""
    try:
        call_command("register_agents", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        status, reason = error.returncode, str(error)
    text = re.sub(r"in [0-9.]+ s", "in N s", out.getvalue())
    return status, text.splitlines(), err.getvalue() + reason


def stored() -> list[str]:
    return [agent.name for agent in Agent.objects.order_by("name")]


def test_a_file_is_registered_line_by_line_and_again_without_harm(tmp_path: Path, alice: User) -> None:
    first = create_runtime(REGION, "file_a")
    second = create_runtime(REGION, "file_jwt", authorizerConfiguration=JWT_AUTHORIZER)
    path = tmp_path / "arns.txt"
    path.write_text(f"# ours\n{first}\n\n{second}\n")

    status, lines, complaint = run(str(path), "--user", "ALICE@example.com")

    assert (status, complaint) == (0, "")
    assert lines == [
        "line 2: registered: file_a (eu-west-2, version 1)",
        "line 4: registered: file_jwt (eu-west-2, version 1); Loom cannot invoke this agent: it accepts only JWT "
        "bearer tokens, and Loom signs requests with IAM.",
        "2 registered, 0 known already, 0 refused in N s",
    ]
    assert {agent.registered_by for agent in Agent.objects.all()} == {alice}
    assert run(str(path))[:2] == (
        0,
        [
            "line 2: known already: file_a is registered already.",
            "line 4: known already: file_jwt is registered already.",
            "0 registered, 2 known already, 0 refused in N s",
        ],
    )


def test_a_refused_line_says_why_and_the_exit_status_is_1(tmp_path: Path) -> None:
    good, lost = create_runtime(REGION, "some_good"), unknown_arn(REGION)
    path = tmp_path / "agents.csv"
    with path.open("w", newline="") as table:
        csv.writer(table).writerows([("team", "arn"), ("a", "nothing"), ("b", lost), ("c", good)])

    status, lines, complaint = run(str(path))

    assert (status, complaint) == (1, "2 of 3 were refused.")
    assert lines[0].startswith("line 2: refused: This is not an ARN. An agent runtime's ARN looks like ")
    assert lines[1].startswith("line 3: refused: ")
    assert "It does not exist in this account and region." in lines[1]
    assert "AWS request id " in lines[1]
    assert lines[2:] == [
        "line 4: registered: some_good (eu-west-2, version 1)",
        "1 registered, 0 known already, 2 refused in N s",
    ]
    assert stored() == ["some_good"]


def test_the_log_does_not_repeat_the_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    registry = logging.getLogger("apps.agentcore.services")
    path = tmp_path / "arns"
    path.write_text(f"{create_runtime(REGION, 'logged')}\n{unknown_arn(REGION)}\n")

    with caplog.at_level(logging.INFO, "apps"):
        run(str(path))

    assert caplog.messages == []
    assert registry.level == logging.NOTSET


def test_standard_input_may_hold_json(monkeypatch: pytest.MonkeyPatch) -> None:
    arns = create_runtimes(REGION, "stdin", 2)
    text = json.dumps([arns[0], {"arn": arns[1]}])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    assert run("-")[1][:2] == [
        "item 1: registered: stdin_000 (eu-west-2, version 1)",
        "item 2: registered: stdin_001 (eu-west-2, version 1)",
    ]


def test_a_dry_run_says_what_would_happen(tmp_path: Path) -> None:
    path = tmp_path / "arns"
    path.write_text(create_runtime(REGION, "dry_command"))

    assert run(str(path), "--dry-run") == (
        0,
        [
            "line 1: would be registered: dry_command (eu-west-2, version 1)",
            "1 would be registered, 0 known already, 0 refused in N s",
        ],
        "",
    )
    assert stored() == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_a_list_may_have_any_encoding(tmp_path: Path, encoding: str, suffix: str) -> None:
    arn = create_runtime(REGION, f"coded_{encoding.replace('-', '_')}_{suffix[1:]}")
    path = tmp_path / f"arns{suffix}"
    text = f"name;arn\r\nCafé;{arn}\r\n" if suffix == ".csv" else f"# Café\r\n{arn}\r\n"
    path.write_bytes(text.encode(encoding))

    assert run(str(path), "--dry-run")[0] == 0


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("empty.txt", b"# nothing\n", "The list is empty."),
        ("broken.json", b"[1", "This is not JSON at line 1. Expected a list of ARNs or of objects with arn."),
        ("half.txt", b"\xff\xfea", "half.txt is not a text. Save it as UTF-8."),
        ("binary.txt", b"a\0b", "binary.txt is not a text. Save it as UTF-8."),
        ("nothing.txt", b"x\ny\n", "Not one of them could be registered."),
    ],
)
def test_what_cannot_be_used_ends_with_2(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    status, _, said = run(str(path))

    assert (status, said.replace(f"{tmp_path}/", "")) == (2, complaint)


def test_arguments_that_make_no_sense_end_with_2(tmp_path: Path) -> None:
    path = tmp_path / "arns"
    path.write_text(unknown_arn(REGION))

    assert run(str(tmp_path / "absent"))[::2] == (2, f"{tmp_path}/absent cannot be read: No such file or directory.")
    assert run(str(path), "--user", "nobody@example.com")[::2] == (2, "There is no user nobody@example.com.")
    assert run(str(path), "--concurrency", "26")[::2] == (2, "--concurrency takes 1 to 25.")
    assert run(str(path), "--region", REGION)[::2] == (2, "--region goes with --discover; an ARN names its own region.")


def test_without_a_connection_the_exit_status_is_2(tmp_path: Path, settings: Any) -> None:
    path = tmp_path / "arns"
    path.write_text("\n".join([unknown_arn("eu-south-2"), "nonsense"]))
    with dead_address() as url:
        settings.EMULATOR_URL = url
        status, lines, complaint = run(str(path))
        discovered = run("--discover", "--region", "eu-south-2")

    assert (status, complaint) == (2, "AWS could not be reached.")
    assert lines[0].startswith("line 1: refused: The connection could not be made.")
    assert discovered[0] == 2
    assert discovered[2].endswith("The runtimes could not be listed.")


def test_the_runtimes_of_several_regions_are_discovered() -> None:
    here, known = create_runtime("ca-central-1", "found_here"), create_runtime("ca-central-1", "found_known")
    there = create_runtime("ap-south-1", "found_there")
    register_agent(arn=known, user=None)

    status, lines, _ = run("--discover", "--region", "ca-central-1", "--region", "ap-south-1")

    assert status == 0
    assert lines == [
        "ca-central-1: 1 to register, 1 known already",
        "ap-south-1: 1 to register, 0 known already",
        "ca-central-1: registered: found_here (ca-central-1, version 1)",
        "ap-south-1: registered: found_there (ap-south-1, version 1)",
        "2 registered, 0 known already, 0 refused in N s",
    ]
    assert set(Agent.objects.values_list("runtime__arn", flat=True)) == {here, known, there}
    assert run("--discover", "--region", "ap-south-1")[:2] == (
        0,
        ["ap-south-1: 0 to register, 1 known already", "0 registered, 0 known already, 0 refused in N s"],
    )


def test_a_region_that_may_not_be_listed_leaves_the_others(order_fault: OrderFault) -> None:
    create_runtime("sa-east-1", "allowed")
    order_fault(kind="error", operation="ListAgentRuntimes", code="AccessDeniedException")

    status, lines, complaint = run("--discover", "--region", "ap-east-1", "--region", "sa-east-1", "--region", "moon")

    assert status == 1
    assert lines[1] == "sa-east-1: registered: allowed (sa-east-1, version 1)"
    assert DISCOVER_ADVICE in complaint
    assert "moon: 'moon' is not an AWS region. Write it like us-east-1." in complaint
    assert complaint.endswith("0 of 1 were refused. 2 regions could not be listed.")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "arns"
    path.write_text("x\ny\n")
    terminal = Terminal()

    run(str(path), out=terminal)

    assert re.fullmatch(
        r"\r\x1b\[2Kline 1: refused: .*\n1 of 2, [0-9]+/s, about [0-9]+ s left"
        r"\r\x1b\[2Kline 2: refused: .*\n\r\x1b\[2K0 registered, .*\n",
        terminal.getvalue(),
    )
