"""boto3 clients: one for each process, connection, service and region, with every limit set on purpose.

Making a client costs 15 to 340 ms and 8 MB, so it is made once; a client may be used by many threads at a time.
A forked child makes its own, since sockets must not be shared.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from apps.aws.botocore_sessions import client_arguments, config_arguments, sync_session
from apps.aws.retries import AGENTCORE, CLOUDWATCH, RetryPolicy

if TYPE_CHECKING:
    from mypy_boto3_bedrock_agentcore_control.client import BedrockAgentCoreControlClient
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_sts.client import STSClient

    from apps.aws.connection import Connection

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
MAX_POOL_CONNECTIONS = 25

Service = Literal["bedrock-agentcore-control", "cloudwatch", "logs", "sts"]

_RETRIES_BY_SERVICE: dict[str, RetryPolicy] = {
    "bedrock-agentcore-control": AGENTCORE,
    "cloudwatch": CLOUDWATCH,
    "logs": CLOUDWATCH,
    "sts": AGENTCORE,
}


@dataclass(frozen=True, slots=True)
class _Key:
    process_id: int
    connection: Connection
    service: str
    region: str


_lock = threading.Lock()
_clients: dict[_Key, Any] = {}
_sessions: dict[tuple[int, Connection], boto3.Session] = {}


def _renew_lock() -> None:
    # Another thread may have held the lock when this process was forked; nobody would ever release it here.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


@overload
def client(
    connection: Connection, service: Literal["bedrock-agentcore-control"], region: str
) -> BedrockAgentCoreControlClient: ...
@overload
def client(connection: Connection, service: Literal["cloudwatch"], region: str) -> CloudWatchClient: ...
@overload
def client(connection: Connection, service: Literal["logs"], region: str) -> CloudWatchLogsClient: ...
@overload
def client(connection: Connection, service: Literal["sts"], region: str) -> STSClient: ...


def client(connection: Connection, service: Service, region: str) -> Any:
    """The process's client for a service in a region; made on first use, safe to call from any thread.

    botocore's errors come as they are, also from here (a profile that does not exist): see `errors.translated`.
    """
    key = _Key(os.getpid(), connection, service, region)
    existing = _clients.get(key)
    if existing is not None:
        return existing
    # botocore's sessions are not safe to make clients from in two threads at a time.
    with _lock:
        if key not in _clients:
            session = _session(connection)
            if connection.origin == "aws" and session.get_credentials() is None:
                # A client keeps the credentials it was made with, none among them: who signs in later would have to
                # restart. The session has read its files and goes too.
                del _sessions[key.process_id, connection]
                raise NoCredentialsError
            _clients[key] = session.client(
                service,
                region_name=region,
                config=_config(connection, _RETRIES_BY_SERVICE[service]),
                **client_arguments(connection),
            )
        return _clients[key]


def _session(connection: Connection) -> boto3.Session:
    key = (os.getpid(), connection)
    if key not in _sessions:
        _sessions[key] = boto3.Session(botocore_session=sync_session(connection))
    return _sessions[key]


def _config(connection: Connection, policy: RetryPolicy) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=MAX_POOL_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": policy.max_attempts},
        tcp_keepalive=True,
        **config_arguments(connection),
    )
