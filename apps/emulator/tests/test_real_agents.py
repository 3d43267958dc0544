from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError

from apps.emulator.agents.traits import CommandAgent, ServedAgent
from apps.emulator.config import EmulatorConfigError
from apps.emulator.environments.agent_process import LAUNCHER, launched
from apps.emulator.fleet.real_agents import read_real_agents
from apps.emulator.tests.running_emulator import (
    RunningEmulator,
    new_session_id,
    running_emulator,
    text_of,
    wait_until,
)

REAL_AGENT = Path(__file__).with_name("real_agent.py")
COMMAND = f"cmd:{sys.executable} {REAL_AGENT}"
ANSWER = "Let me add. It's 3."


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_of(emulator: RunningEmulator, session_id: str) -> int:
    (environment,) = emulator.get("environments", session_id=session_id)
    return int(environment["pid"])


@pytest.fixture(scope="module")
def with_commands() -> Iterator[RunningEmulator]:
    runtimes = f"real_one={COMMAND}, broken=cmd:{sys.executable} -c 'raise SystemExit(3)', absent=cmd:/no/such/command"
    with running_emulator("--seed", "1", "--log-delay-scale", "0", "--runtimes", runtimes) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def served_url() -> Iterator[str]:
    """A real agent that runs before the emulator does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(LAUNCHER), str(REAL_AGENT)]
    with subprocess.Popen(command, env={**os.environ, "PORT": str(port)}, stdout=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"

        def answers_ping() -> bool:
            try:
                return httpx.get(f"{url}/ping").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers_ping, timeout_s=30)
        yield url
        process.terminate()


def test_each_session_has_a_process_that_stays_for_the_next_invocation(with_commands: RunningEmulator) -> None:
    first, second = new_session_id(), new_session_id()

    bodies = [with_commands.invoke("real_one", runtimeSessionId=session_id)[1] for session_id in (first, first, second)]

    assert [text_of(body) for body in bodies] == [ANSWER] * 3
    assert [record["start_kind"] for record in with_commands.truth(first)] == ["created", "reused"]
    assert pid_of(with_commands, first) != pid_of(with_commands, second)
    cold, warm = (
        (datetime.fromisoformat(record["started_at"]) - datetime.fromisoformat(record["received_at"])).total_seconds()
        for record in with_commands.truth(first)
    )
    assert cold > warm


def test_what_the_process_prints_is_its_log_stream(with_commands: RunningEmulator) -> None:
    session_id = new_session_id()
    with_commands.invoke("real_one", runtimeSessionId=session_id)
    arn = with_commands.arn("real_one")
    group = f"/aws/bedrock-agentcore/runtimes/{arn.rpartition('/')[2]}-DEFAULT"
    (environment,) = with_commands.get("environments", session_id=session_id)

    def lines() -> list[str]:
        return with_commands.messages(group, logStreamNames=[environment["log_stream"]])

    wait_until(lambda: len(lines()) >= 2)
    booted, returned = lines()
    assert booted == "agent booted"
    assert f"[runtime-logs-{session_id}]" in environment["log_stream"]
    line = json.loads(returned)
    assert re.fullmatch(r"Returning streaming response \(generator\) \(\d\.\d{3}s\)", line["message"])
    assert line["sessionId"] == session_id


def test_a_stopped_session_ends_its_process(with_commands: RunningEmulator) -> None:
    session_id = new_session_id()
    with_commands.invoke("real_one", runtimeSessionId=session_id)
    pid = pid_of(with_commands, session_id)

    with_commands.client("bedrock-agentcore").stop_runtime_session(
        agentRuntimeArn=with_commands.arn("real_one"), runtimeSessionId=session_id
    )

    assert not is_running(pid)


def test_an_idle_session_ends_its_process(with_commands: RunningEmulator) -> None:
    session_id = new_session_id()
    with_commands.invoke("real_one", runtimeSessionId=session_id)
    pid = pid_of(with_commands, session_id)

    with_commands.advance(1000)

    wait_until(lambda: not is_running(pid))
    assert with_commands.get("environments", session_id=session_id) == []


@pytest.mark.parametrize("is_killed", [False, True])
def test_no_process_outlives_the_emulator(is_killed: bool) -> None:
    with running_emulator("--seed", "1", "--runtimes", f"real_one={COMMAND}") as emulator:
        session_id = new_session_id()
        emulator.invoke("real_one", runtimeSessionId=session_id)
        pid = pid_of(emulator, session_id)
        if is_killed:
            emulator.process.kill()

    wait_until(lambda: not is_running(pid))


@pytest.mark.parametrize("name", ["broken", "absent"])
def test_a_command_that_does_not_start_is_a_runtime_client_error(with_commands: RunningEmulator, name: str) -> None:
    with pytest.raises(ClientError, match="An error occurred when starting the runtime") as caught:
        with_commands.invoke(name)

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424


def test_a_container_error_is_a_runtime_client_error(with_commands: RunningEmulator) -> None:
    with pytest.raises(ClientError) as caught:
        with_commands.invoke("real_one", payload=b"{broken")

    assert caught.value.response["Error"] == {
        "Code": "RuntimeClientError",
        "Message": "Received error (400) from runtime. Please check your CloudWatch logs for more information",
    }


def test_a_served_agent_answers_as_it_is_with_its_start_unknown(served_url: str) -> None:
    with running_emulator("--seed", "1", "--runtimes", f"served={served_url}") as emulator:
        session_id = new_session_id()
        answers = [emulator.invoke("served", runtimeSessionId=session_id) for _ in range(2)]
        records = emulator.truth(session_id)

    assert [(answer["contentType"], text_of(body)) for answer, body in answers] == [
        ("text/event-stream; charset=utf-8", ANSWER)
    ] * 2
    assert [(record["start_kind"], record["is_cold"]) for record in records] == [("unknown", None)] * 2


def test_a_served_agent_that_is_down_is_a_runtime_client_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with (
            running_emulator("--seed", "1", "--runtimes", f"down={url}") as emulator,
            pytest.raises(ClientError, match="An error occurred when starting the runtime"),
        ):
            emulator.invoke("down")


def test_the_setting_names_agents_by_address_and_by_command() -> None:
    text = "a=http://127.0.0.1:8080/, b_2=cmd:python main.py --list 1,2 'x y', c=http://localhost:9"

    assert read_real_agents(text) == {
        "a": ServedAgent("http://127.0.0.1:8080"),
        "b_2": CommandAgent(("python", "main.py", "--list", "1,2", "x y")),
        "c": ServedAgent("http://localhost:9"),
    }
    assert read_real_agents(" ") == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a=http://agent.example:8080", "must be at an http:// address of this machine"),
        ("a=http://0.0.0.0:8080", "must be at an http:// address of this machine"),
        ("a=cmd:", "the command of a is empty"),
        ("a=cmd:python 'main.py", "the command of a cannot be split"),
        ("9a=http://127.0.0.1:8080", "is not name=http://127.0.0.1:PORT or name=cmd:COMMAND"),
        ("a=http://127.0.0.1:1,a=http://127.0.0.1:2", "a is named twice"),
        ("a", "is not name="),
    ],
)
def test_a_setting_that_cannot_be_used_says_why(text: str, reason: str) -> None:
    with pytest.raises(EmulatorConfigError, match=reason):
        read_real_agents(text)


def test_a_python_file_is_run_through_the_launcher_and_other_commands_as_they_are() -> None:
    assert launched(["python", "main.py", "-v"]) == [sys.executable, str(LAUNCHER), "main.py", "-v"]
    assert launched(["/usr/bin/python3.12", "main.py"]) == ["/usr/bin/python3.12", str(LAUNCHER), "main.py"]
    assert launched(["python", "-m", "agent"]) == [sys.executable, "-m", "agent"]
    assert launched(["node", "main.js"]) == ["node", "main.js"]
