from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.aws.botocore_sessions import async_session, sync_session
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.control import list_runtimes
from apps.aws.errors import ThrottledError
from apps.aws.tests.conftest import Emulated, Serve


def connection(port: int) -> Connection:
    return Connection("emulator", "us-east-1", endpoint_url=f"http://127.0.0.1:{port}")


def test_a_client_is_made_once_for_each_service_region_and_connection() -> None:
    """S1-036: clients are shared by the whole process."""
    logs = client(connection(1), "logs", "us-east-1")

    assert client(connection(1), "logs", "us-east-1") is logs
    others = [
        client(connection(1), "logs", "us-west-2"),
        client(connection(2), "logs", "us-east-1"),
        client(connection(1), "cloudwatch", "us-east-1"),
    ]
    assert logs not in others
    assert [other.meta.region_name for other in others] == ["us-west-2", "us-east-1", "us-east-1"]


def test_threads_that_come_at_the_same_time_get_the_same_client() -> None:
    count = 12
    together = threading.Barrier(count)

    def ask(_: int) -> int:
        together.wait(20)
        return id(client(connection(3), "logs", "eu-west-1"))

    with ThreadPoolExecutor(count) as pool:
        assert len(set(pool.map(ask, range(count)))) == 1


def test_what_describes_aws_is_read_once_for_all_connections(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loader = sync_session(connection(5)).get_component("data_loader")

    assert sync_session(connection(6)).get_component("data_loader") is loader
    assert async_session(connection(7)).get_component("data_loader") is loader
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    own = sync_session(Connection("aws", "us-east-1")).get_component("data_loader")
    assert (str(tmp_path) in own.search_paths, str(tmp_path) in loader.search_paths) == (True, False)


def test_a_forked_child_makes_its_own() -> None:
    parents = client(connection(4), "logs", "us-east-1")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"own" if client(connection(4), "logs", "us-east-1") is not parents else b"same")
        os._exit(0)
    os.waitpid(child, 0)
    answer = os.read(reading, 10)
    os.close(reading)
    os.close(writing)

    assert answer == b"own"


@pytest.mark.parametrize("service", ["bedrock-agentcore-control", "cloudwatch", "logs", "sts"])
def test_every_limit_is_set_on_purpose(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S1-058, S1-060: no client inherits a default or the environment's wish."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    config = client(connection(5), service, "us-east-1").meta.config  # type: ignore[call-overload]

    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (5, 30, 25)
    attempts = 4 if service in ("logs", "cloudwatch") else 3
    assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
    assert config.tcp_keepalive


def test_reads_are_repeated_a_few_times(serve: Serve, emulated: Emulated) -> None:
    """S1-031: a control-plane read is harmless and may be asked three times."""
    server = serve(lambda exchange: exchange.fail(429, "ThrottlingException"))

    with pytest.raises(ThrottledError):
        list(list_runtimes(emulated(server), "us-east-1"))
    assert len(server.requests) == 3


def test_a_read_that_fails_once_succeeds(serve: Serve, emulated: Emulated) -> None:
    """S1-031, S1-033."""
    server = serve(
        lambda exchange: (
            exchange.fail(503, "ServiceUnavailableException")
            if exchange.number == 1
            else exchange.reply_json({"agentRuntimes": []})
        )
    )

    assert list(list_runtimes(emulated(server), "us-east-1")) == []
    assert len(server.requests) == 2
