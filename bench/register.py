"""How fast many agents are registered: python -m bench.register [--count 1000] [--latency-ms 100] [--limit 60]

Starts the emulator with AWS's published quotas, creates runtimes there with CreateAgentRuntime, and runs `manage.py
register_agents` on an empty SQLite database. A relay in between holds every request back by the latency, as the way to
a region would. Then the same command registers a smaller sample twice, one agent at a time and concurrently. The exit
status is 1 where an agent is missing or the limit is exceeded. Nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

TOP = Path(__file__).resolve().parent.parent
REGION = "eu-central-1"  # where the emulator has no demo agents
SAMPLE = 60
SUMMARY = re.compile(r"^(?P<registered>[0-9]+) registered, .* in (?P<seconds>[0-9.]+) s$", re.MULTILINE)


@contextmanager
def emulator() -> Iterator[int]:
    """The emulator with its quotas; yields its port."""
    command = [sys.executable, "-m", "apps.emulator", "--port", "0", "--seed", "1"]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield int(line.split("listening on ")[1].split()[0].rsplit(":", 1)[1])
        finally:
            process.terminate()


class Relay:
    """Passes connections on to a port of this machine, each piece of a request `latency_s` late."""

    def __init__(self, target_port: int, latency_s: float) -> None:
        self._target_port = target_port
        self._latency_s = latency_s
        self._loop = asyncio.new_event_loop()
        self._is_ready = threading.Event()
        self.port = 0

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()
        self._is_ready.wait()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._is_ready.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        await asyncio.gather(
            self._pass_on(reader, upstream_writer, self._latency_s), self._pass_on(upstream_reader, writer, 0)
        )

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
        try:
            while data := await reader.read(65_536):
                await asyncio.sleep(delay_s)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # the other side has ended it
        finally:
            writer.close()


def create_runtimes(port: int, count: int) -> list[str]:
    """Create runtimes as a deployment would; returns their ARNs."""
    control: Any = boto3.client(
        "bedrock-agentcore-control",
        region_name=REGION,
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="emulator",
        aws_secret_access_key="emulator",  # noqa: S106 -- the emulator accepts any
        config=Config(retries={"mode": "standard", "total_max_attempts": 10}, max_pool_connections=8, proxies={}),
    )

    def create(number: int) -> str:
        answer = control.create_agent_runtime(
            agentRuntimeName=f"agent_{number:04d}",
            agentRuntimeArtifact={
                "containerConfiguration": {"containerUri": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/agent:v1"}
            },
            roleArn="arn:aws:iam::123456789012:role/AgentRuntimeRole",
            networkConfiguration={"networkMode": "PUBLIC"},
        )
        return str(answer["agentRuntimeArn"])

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(create, range(count)))


def register(arns: list[str], relay_port: int, concurrency: int) -> tuple[int, float, float]:
    """Run the command on an empty database: agents registered, its own seconds, its peak memory in MB."""
    with tempfile.TemporaryDirectory(prefix="register-") as folder:
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ} | {
            "LOOM_ENVIRONMENT_FILE": "",
            "LOOM_AWS": "emulator",
            "SECRET_KEY": "only-for-a-benchmark-" + "x" * 40,
            "EMULATOR_PORT": str(relay_port),
            "DATABASE_URL": f"sqlite:///{folder}/loom.db",
        }
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=TOP, env=environment, check=True)
        command = [*manage, "register_agents", "-", "--concurrency", str(concurrency)]
        process = subprocess.Popen(
            command, cwd=TOP, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join(arns))
        process.stdin.close()
        output = process.stdout.read()
        process.stdout.close()
        _, _, usage = os.wait4(process.pid, 0)
    summary = SUMMARY.search(output)
    if summary is None:
        raise SystemExit(f"register_agents did not finish:\n{output[-2000:]}")
    return int(summary["registered"]), float(summary["seconds"]), usage.ru_maxrss / 1024


def commit() -> str:
    answer = subprocess.run(
        ["git", "-C", str(TOP), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=1000, help="runtimes to register, at most 1,000")
    options.add_argument("--latency-ms", type=float, default=100, help="by which each request is held back")
    options.add_argument("--limit", type=float, default=60, help="seconds that may pass")
    chosen = options.parse_args()
    with emulator() as port:
        started_at = time.monotonic()
        arns = create_runtimes(port, chosen.count)
        print(f"{len(arns)} runtimes created in {time.monotonic() - started_at:.1f} s")
        relay = Relay(port, chosen.latency_ms / 1000)
        relay.start()
        registered, seconds, memory_mb = register(arns, relay.port, 16)
        sample = arns[:SAMPLE]
        _, single_s, _ = register(sample, relay.port, 1)
        _, concurrent_s, _ = register(sample, relay.port, 16)
    print(
        "\n| what | agents | took | a second |\n| --- | ---: | ---: | ---: |\n"
        f"| register_agents, 16 calls at a time | {registered} | {seconds:.1f} s | {registered / seconds:.1f} |\n"
        f"| sample, one at a time | {len(sample)} | {single_s:.1f} s | {len(sample) / single_s:.1f} |\n"
        f"| sample, 16 calls at a time | {len(sample)} | {concurrent_s:.1f} s | {len(sample) / concurrent_s:.1f} |\n\n"
        f"Concurrent to one by one in this run: {single_s / concurrent_s:.1f}. Peak memory {memory_mb:.0f} MB\n"
        f"Conditions: commit {commit()}, emulator with AWS's quotas (List 25/s, Get 150/s), {chosen.latency_ms:.0f} ms "
        f"added to each request, SQLite, {platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}; n = 1."
    )
    is_good = registered == len(arns) and seconds <= chosen.limit
    print("ok" if is_good else f"FAILED: all {len(arns)} within {chosen.limit:.0f} s were expected")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
