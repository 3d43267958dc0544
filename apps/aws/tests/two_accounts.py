"""AWS with more than one account on loopback: moto, with what it lacks in front of it.

moto keeps accounts apart by the access key that signed. It asks nothing before it hands out a role's keys and invokes
no agents, so both are done here: a role wants its external id, and an agent answers only keys of its own account.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from moto.bedrockagentcorecontrol.models import bedrockagentcorecontrol_backends
from moto.iam.models import get_account_id_from
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from apps.aws.arn import RuntimeArn
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.roles import Role

REGION = "us-east-1"
OWN_ACCOUNT = "123456789012"  # moto's, of keys that it does not know
SECOND_ACCOUNT = "444455556666"
THIRD_ACCOUNT = "111122223333"
EXTERNAL_ID = "loom-4f1c0b"
_KEY = re.compile(r"Credential=([^/]+)/[0-9]{8}/([^/]+)/([^/]+)/")
_INVOCATION = re.compile(r"/runtimes/(?P<arn>.+?)/invocations")
_REFUSED = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>AccessDenied</Code><Message>User is not authorized to perform: sts:AssumeRole on resource: {role}</Message>"
    "</Error><RequestId>request-1</RequestId></ErrorResponse>"
)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def role_of(account_id: str, external_id: str = EXTERNAL_ID) -> Role:
    return Role(f"arn:aws:iam::{account_id}:role/loom-access", external_id)


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it arrived: whose key signed it, and what it was for."""

    account_id: str
    service: str
    region: str
    path: str


@dataclass
class TwoAccounts:
    """Where they are, what was asked of them, and how they behave. `lifetime_s` is how long a role's keys last."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    lifetime_s: int = 3600
    trusts: dict[str, str] = field(default_factory=dict)

    def own(self) -> Connection:
        return Connection("emulator", REGION, endpoint_url=self.url)

    def connection(self, account_id: str, external_id: str = EXTERNAL_ID) -> Connection:
        return Connection("emulator", REGION, endpoint_url=self.url, role=role_of(account_id, external_id))

    def through(self, account_id: str) -> Connection:
        return self.own() if account_id == OWN_ACCOUNT else self.connection(account_id)

    def add_runtime(
        self, account_id: str, name: str, *, region: str = REGION, suffix: str = "AbCdEf1234"
    ) -> RuntimeArn:
        """A runtime with an endpoint and a log group, in one account only."""
        arn = RuntimeArn("aws", region, account_id, f"{name}-{suffix}")
        control: Any = client(self.through(account_id), "bedrock-agentcore-control", region)
        made = control.create_agent_runtime(
            agentRuntimeName=name,
            agentRuntimeArtifact={"containerConfiguration": {"containerUri": "1.dkr.ecr.us-east-1.amazonaws.com/a:1"}},
            roleArn=f"arn:aws:iam::{account_id}:role/AgentRuntimeRole",
            networkConfiguration={"networkMode": "PUBLIC"},
        )
        # moto's ids and ARNs have a shape that AWS does not use.
        runtimes = bedrockagentcorecontrol_backends[account_id][region].agent_runtimes
        runtime = runtimes.pop(made["agentRuntimeId"])
        runtime.agent_runtime_id, runtime.agent_runtime_arn = arn.runtime_id, arn.runtime_arn
        runtimes[arn.runtime_id] = runtime
        logs: Any = client(self.through(account_id), "logs", region)
        logs.create_log_group(logGroupName=arn.log_group())
        self.calls.clear()
        return arn

    def write_log(self, arn: RuntimeArn, stream: str, at_ms: int, message: str) -> None:
        logs: Any = client(self.through(arn.account_id), "logs", arn.region)
        logs.create_log_stream(logGroupName=arn.log_group(), logStreamName=stream)
        logs.put_log_events(
            logGroupName=arn.log_group(), logStreamName=stream, logEvents=[{"timestamp": at_ms, "message": message}]
        )
        self.calls.clear()

    def accounts_of(self, service: str) -> set[str]:
        """Whose keys signed the requests to a service."""
        return {call.account_id for call in self.calls if call.service == service}


@contextmanager
def two_accounts() -> Iterator[TwoAccounts]:
    """Serve three accounts on a free port: Loom's own, and two that let it in with the external id."""
    moto_api_backend.reset()
    running = TwoAccounts(trusts={role_of(each).arn: EXTERNAL_ID for each in (SECOND_ACCOUNT, THIRD_ACCOUNT)})
    server = make_server("127.0.0.1", 0, _Front(running), threaded=True, request_handler=_Quiet)
    running.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep the test's output quiet."""


class _Front:
    def __init__(self, running: TwoAccounts) -> None:
        self._running = running
        self._moto: Any = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start: StartResponse) -> Any:
        signed = _KEY.search(environ.get("HTTP_AUTHORIZATION", ""))
        path = unquote(str(environ["REQUEST_URI"]))
        key, region, service = signed.groups() if signed else ("", "", "")
        account_id = get_account_id_from(key)
        self._running.calls.append(Call(account_id, service, region, path))
        if service == "sts":
            return self._sts(environ, start)
        if invocation := _INVOCATION.match(path):
            return _invoke(invocation["arn"], account_id, start)
        return self._moto(environ, start)

    def _sts(self, environ: Environ, start: StartResponse) -> Any:
        form = parse_qs(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
        if form["Action"] == ["AssumeRole"]:
            (role,) = form["RoleArn"]
            self._running.assumed.append(role)
            if self._running.trusts.get(role) != form.get("ExternalId", [""])[0]:
                start("403 Forbidden", [("Content-Type", "text/xml")])
                return [_REFUSED.format(role=role).encode()]
            form["DurationSeconds"] = [str(self._running.lifetime_s)]
        body = urlencode(form, doseq=True).encode()
        return self._moto({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start)


def _invoke(arn: str, account_id: str, start: StartResponse) -> Any:
    if f":{account_id}:" not in arn:
        start("403 Forbidden", [("x-amzn-ErrorType", "AccessDeniedException"), ("Content-Type", "application/json")])
        return [b'{"message": "These keys are of another account."}']
    start("200 OK", [("Content-Type", "text/event-stream"), ("x-amzn-RequestId", "request-1")])
    return [f'data: "answered in {account_id}"\n\n'.encode()]
