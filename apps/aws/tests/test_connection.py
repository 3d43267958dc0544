from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from apps.aws.agentcore import AgentCoreClient
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.control import list_runtimes
from apps.aws.errors import ConnectFailedError, CredentialsError
from apps.aws.identity import Identity, identity
from apps.aws.tests.conftest import Emulated, Serve
from apps.aws.tests.invoking import AT_ONCE, answer, invoke, read
from apps.aws.tests.loopback import Loopback


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8100",
        "http://127.0.0.1:8100/",
        "http://localhost:8100",
        "https://[::1]:8100",
        "http://127.8.9.1",
    ],
)
def test_the_emulator_is_on_this_machine(url: str) -> None:
    assert Connection("emulator", "us-east-1", endpoint_url=url).endpoint_url == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "127.0.0.1:8100",
        "http://bedrock-agentcore.us-east-1.amazonaws.com",
        "http://10.0.0.1:8100",
        "http://0.0.0.0:8100",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "http://example.com\\@127.0.0.1",
        "http://127.0.0.1\\.example.com",
        "http://127.0.0.1:80/path",
        "http://127.0.0.256",
        "ftp://127.0.0.1",
        "http://127.0.0.1\n",
    ],
)
def test_the_emulator_is_nowhere_else(url: str | None) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Connection("emulator", "us-east-1", endpoint_url=url)


def test_what_belongs_to_one_origin_is_refused_by_the_other() -> None:
    with pytest.raises(ValueError, match="no endpoint URL"):
        Connection("aws", "us-east-1", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(ValueError, match="no profile"):
        Connection("emulator", "us-east-1", profile="dev", endpoint_url="http://127.0.0.1:1")


@pytest.fixture
def hostile(home: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve) -> Loopback:
    """Surroundings in which everything that can be set points to a trap, which counts who falls into it."""
    trap = serve(
        lambda exchange: exchange.reply_json({"AccessKeyId": "AKIDTRAP", "SecretAccessKey": "x", "Token": "x"})
    )
    settings = {
        "AWS_PROFILE": "production",
        "AWS_DEFAULT_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIDHOSTILE",
        "AWS_SECRET_ACCESS_KEY": "hostile",
        "AWS_SESSION_TOKEN": "hostile",
        "AWS_REGION": "eu-west-3",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "AWS_ENDPOINT_URL": trap.url,
        "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE": trap.url,
        "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL": trap.url,
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": trap.url,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": trap.url,
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_CA_BUNDLE": "/nonexistent",
        "REQUESTS_CA_BUNDLE": "/nonexistent",
        "AWS_RETRY_MODE": "adaptive",
        "AWS_MAX_ATTEMPTS": "9",
        "AWS_DEFAULTS_MODE": "auto",
    }
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        settings[name] = trap.url
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    (home / ".aws" / "config").write_text(
        f"[default]\nregion = eu-west-3\nendpoint_url = {trap.url}\nretry_mode = adaptive\n"
        f"[profile production]\nregion = eu-west-3\nendpoint_url = {trap.url}\n"
    )
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = x\n"
        "[production]\naws_access_key_id = AKIDFILE\naws_secret_access_key = x\n"
    )
    return trap


async def test_nothing_around_the_process_leads_the_emulator_astray(
    hostile: Loopback, serve: Serve, emulated: Emulated, data_plane: str
) -> None:
    """S0-117, S1-053: no environment variable, file, proxy or metadata service can turn an emulator into AWS."""
    server = serve(answer)
    control_plane = serve(lambda exchange: exchange.reply_json({"agentRuntimes": []}))

    invoker = AgentCoreClient(emulated(server), data_plane=data_plane)
    assert await read(await invoke(invoker)) == [b'data: "ok"\n\n']
    await invoker.close()
    assert list(list_runtimes(emulated(control_plane), "us-east-1")) == []

    for asked in (server, control_plane):
        (request,) = asked.requests
        assert "Credential=emulator/" in request.headers["authorization"]
        assert "/us-east-1/bedrock-agentcore/" in request.headers["authorization"]
        assert "x-amz-security-token" not in request.headers
    assert hostile.requests == []


def access_key(connection: Connection) -> str:
    """The access key that this connection signs with now."""
    url = client(connection, "sts", connection.region).generate_presigned_url("get_caller_identity")
    return parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].split("/")[0]


@pytest.mark.usefixtures("hostile")
def test_no_environment_moves_awss_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """S0-117: neither a variable nor a configuration file says where AWS is."""
    for name in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name)
    connection = Connection("aws", "eu-central-1", profile="production")
    control = client(connection, "bedrock-agentcore-control", "us-west-2")

    assert control.meta.endpoint_url == "https://bedrock-agentcore-control.us-west-2.amazonaws.com"
    assert client(connection, "logs", "eu-central-1").meta.endpoint_url == "https://logs.eu-central-1.amazonaws.com"


def test_credentials_come_from_the_profile_or_the_default_chain(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S0-031, S0-117: a named profile wins over keys in the environment, which win over the default profile."""
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = x\n"
        "[dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = x\n"
    )

    assert access_key(Connection("aws", "us-east-1")) == "AKIDDEFAULT"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert access_key(Connection("aws", "us-east-2")) == "AKIDENVIRONMENT"
    assert access_key(Connection("aws", "us-east-1", profile="dev")) == "AKIDDEV"


def test_credentials_that_come_later_are_found_without_a_restart(home: Path) -> None:
    """S1-053: whoever signs in after Loom was started need not start it again."""
    with pytest.raises(NoCredentialsError):
        access_key(Connection("aws", "eu-south-2"))
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKIDLATE\naws_secret_access_key = x\n")

    assert access_key(Connection("aws", "eu-south-2")) == "AKIDLATE"


def test_credentials_are_renewed_while_the_process_runs(home: Path) -> None:
    """S1-053: a credential process is asked again when what it gave is about to expire."""
    counter = home / "asked"
    expiring = {
        "Version": 1,
        "SecretAccessKey": "x",
        "Expiration": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
    }
    program = home / "credentials.py"
    program.write_text(
        "import json, pathlib\n"
        f"asked = pathlib.Path({str(counter)!r})\n"
        "number = len(asked.read_text()) if asked.exists() else 0\n"
        "asked.write_text('x' * (number + 1))\n"
        f"print(json.dumps({{**json.loads({json.dumps(json.dumps(expiring))}), 'AccessKeyId': f'AKID{{number}}'}}))\n"
    )
    (home / ".aws" / "config").write_text(f"[profile renewed]\ncredential_process = {sys.executable} {program}\n")
    connection = Connection("aws", "us-east-1", profile="renewed")

    keys = [access_key(connection) for _ in range(3)]
    assert keys == sorted(set(keys))
    assert len(counter.read_text()) >= 3


def test_the_identity_says_whose_account_it_is(home: Path) -> None:
    """S1-053: who is calling, for the header of every page."""
    (home / ".aws" / "credentials").write_text("[id]\naws_access_key_id = AKID\naws_secret_access_key = x\n")
    connection = Connection("aws", "us-east-1", profile="id")
    role = "arn:aws:sts::111122223333:assumed-role/developer/me"
    with Stubber(client(connection, "sts", "us-east-1")) as stubber:
        stubber.add_response("get_caller_identity", {"Account": "111122223333", "Arn": role, "UserId": "x"})
        assert identity(connection) == Identity("111122223333", role)

        stubber.add_client_error("get_caller_identity", "ExpiredToken", "The security token is expired", 403)
        with pytest.raises(CredentialsError) as caught:
            identity(connection)
    assert (caught.value.code, caught.value.http_status) == ("ExpiredToken", 403)


@pytest.mark.usefixtures("home")
async def test_missing_credentials_and_profiles_are_named(data_plane: str) -> None:
    """S1-053: nothing found is an error of its own, with what to do."""
    with pytest.raises(CredentialsError) as missing:
        identity(Connection("aws", "ap-south-1"))
    assert missing.value.code == "NoCredentialsError"

    with pytest.raises(CredentialsError) as unknown:
        identity(Connection("aws", "ap-south-1", profile="nowhere"))
    assert unknown.value.message == "The AWS profile 'nowhere' does not exist."

    invoker = AgentCoreClient(Connection("aws", "ap-south-1"), retry_policy=AT_ONCE, data_plane=data_plane)
    await invoker.warm_up()  # keeps it to itself
    with pytest.raises(CredentialsError) as unsigned:
        await invoke(invoker)
    await invoker.close()
    assert unsigned.value.code == "NoCredentialsError"


async def test_aws_is_reached_through_the_environments_proxy(
    home: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve, data_plane: str
) -> None:
    """S1-055: companies have proxies; one that refuses to connect proves that nothing ran."""
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKID\naws_secret_access_key = x\n")
    proxy = serve(lambda exchange: exchange.reply(403))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("https_proxy", proxy.url)
    invoker = AgentCoreClient(Connection("aws", "us-east-1"), retry_policy=AT_ONCE, data_plane=data_plane)

    with pytest.raises(ConnectFailedError) as caught:
        await invoke(invoker)
    await invoker.close()

    assert caught.value.did_not_run
    asked = [(request.method, request.path) for request in proxy.requests]
    assert asked == [("CONNECT", "bedrock-agentcore.us-east-1.amazonaws.com:443")] * 3
