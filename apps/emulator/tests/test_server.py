from __future__ import annotations

import json
import signal
import subprocess
import sys

import httpx
import pytest

from apps.emulator.tests.running_emulator import READY, new_session_id, running_emulator


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_while_streams_are_open(number: signal.Signals) -> None:
    with running_emulator("--seed", "1", "--no-quotas") as emulator:
        client = emulator.client("bedrock-agentcore")
        arn = emulator.arn("travel_concierge")
        emulator.order_fault(kind="start_kind", start_kind="created")
        answer = client.invoke_agent_runtime(
            agentRuntimeArn=arn, runtimeSessionId=new_session_id(), payload=json.dumps({"prompt": "hi"})
        )
        raw = answer["response"]._raw_stream
        assert raw.read1(100).startswith(b"data: ")

        emulator.process.send_signal(number)

        assert emulator.process.wait(timeout=5) == 0
        raw.close()


def test_the_start_up_lines_are_the_address_the_seed_and_the_port() -> None:
    command = [sys.executable, "-m", "apps.emulator", "--port", "0", "--seed", "42", "--print-port"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = READY.fullmatch(process.stdout.readline())
        port = process.stdout.readline().strip()
        assert ready is not None
        answer = httpx.get(f"{ready[1]}/_emulator/health")
        process.terminate()

    assert ready.groups() == (f"http://127.0.0.1:{port}", "42")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "seed": 42})


def test_a_taken_port_is_reported_and_nothing_is_served() -> None:
    with running_emulator("--seed", "1") as emulator:
        port = emulator.url.rpartition(":")[2]
        command = [sys.executable, "-m", "apps.emulator", "--port", port]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert (finished.returncode, finished.stdout) == (2, "")
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in finished.stderr


def test_a_request_for_another_host_is_refused() -> None:
    with running_emulator("--seed", "1") as emulator:
        answer = httpx.get(f"{emulator.url}/_emulator/health", headers={"Host": "rebound.example"})

    assert answer.status_code == 403
