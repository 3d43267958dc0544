"""An emulator in a process of its own, and the clients that tests talk to it with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import Any

import boto3
import httpx
from botocore.config import Config

READY = re.compile(r"emulator listening on (http://\S+) seed=(\d+)\n")
CLIENT_CONFIG = Config(retries={"total_max_attempts": 1}, read_timeout=30, connect_timeout=5)


@dataclass
class RunningEmulator:
    url: str
    process: subprocess.Popen[str]
    http: httpx.Client
    _arns: dict[tuple[str, str], str] = field(default_factory=dict)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        if (service, region) not in self._clients:
            self._clients[(service, region)] = boto3.client(
                service,  # type: ignore[call-overload]
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=CLIENT_CONFIG,
            )
        return self._clients[(service, region)]

    def arn(self, name: str, region: str = "us-east-1") -> str:
        if (name, region) not in self._arns:
            runtimes = self.client("bedrock-agentcore-control", region).list_agent_runtimes()["agentRuntimes"]
            self._arns |= {(item["agentRuntimeName"], region): item["agentRuntimeArn"] for item in runtimes}
        return self._arns[(name, region)]

    def begin(self, name: str, prompt: str = "hello", **arguments: Any) -> dict[str, Any]:
        """Invoke an agent by its name; returns boto3's answer with its body unread."""
        arguments.setdefault("payload", json.dumps({"prompt": prompt}))
        client = self.client("bedrock-agentcore")
        answer: dict[str, Any] = client.invoke_agent_runtime(agentRuntimeArn=self.arn(name), **arguments)
        return answer

    def invoke(self, name: str, prompt: str = "hello", **arguments: Any) -> tuple[dict[str, Any], bytes]:
        """Invoke an agent by its name; returns boto3's answer and the whole body."""
        answer = self.begin(name, prompt, **arguments)
        return answer, answer["response"].read()

    def truth(self, session_id: str) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.get("invocations", session_id=session_id)
        return records

    def get(self, path: str, **parameters: str) -> Any:
        return self.http.get(f"/_emulator/{path}", params=parameters).raise_for_status().json()

    def order_fault(self, **fault: object) -> None:
        self.http.post("/_emulator/faults", json=fault).raise_for_status()

    def end_silences(self) -> None:
        self.http.delete("/_emulator/silences").raise_for_status()

    def advance(self, seconds: float) -> None:
        self.http.post("/_emulator/clock", json={"advance_s": seconds}).raise_for_status()

    def messages(self, group: str, region: str = "us-east-1", **arguments: Any) -> list[str]:
        """Return the messages of a log group, all pages."""
        pages = self.client("logs", region).get_paginator("filter_log_events").paginate(logGroupName=group, **arguments)
        return [event["message"] for page in pages for event in page["events"]]


@contextmanager
def running_emulator(*arguments: str) -> Iterator[RunningEmulator]:
    """Run an emulator on a free port for as long as the block lasts; it must not complain on stderr."""
    command = [sys.executable, "-W", "error", "-m", "apps.emulator", "--port", "0", *arguments]
    with (
        TemporaryFile("w+") as complaints,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            ready = READY.fullmatch(process.stdout.readline())
            assert ready is not None
            with httpx.Client(base_url=ready[1]) as http:
                yield RunningEmulator(ready[1], process, http)
        finally:
            process.terminate()
            process.wait(timeout=10)
            complaints.seek(0)
            assert complaints.read() == ""


def new_session_id() -> str:
    return str(uuid.uuid4())


def text_of(body: bytes) -> str:
    """Join the text of an SSE body whose events are JSON strings."""
    events = [json.loads(line.removeprefix("data: ")) for line in body.decode().splitlines() if line]
    return "".join(event for event in events if isinstance(event, str))


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Poll a condition until it holds; fails after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
