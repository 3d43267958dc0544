"""Who signs a prompt to AWS, over TLS and through a proxy, as a server that stands for AWS reads it."""

from __future__ import annotations

import re
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.aws.agentcore import AgentCoreClient
from apps.aws.connection import Connection
from apps.aws.errors import CredentialsError
from apps.aws.tests.invoking import AT_ONCE, invoke, read
from apps.wire.tests.serving import Peer, Script, certificate, serving

HOST = "bedrock-agentcore.us-east-1.amazonaws.com"
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n"ok"'
WHO = re.compile(rb"(?i)authorization: AWS4-HMAC-SHA256 Credential=(\w+)/|x-amz-security-token: (\w+)")

PROGRAM = """
import json, pathlib
asked = pathlib.Path({asked!r})
number = len(asked.read_text()) if asked.exists() else 0
asked.write_text("x" * (number + 1))
if number >= {most}:
    raise SystemExit("the sign-in has ended")
print(json.dumps({{
    "Version": 1, "AccessKeyId": f"AKID{{number}}", "SecretAccessKey": "x", "SessionToken": f"TOKEN{{number}}",
    "Expiration": {expiration!r},
}}))
"""


def profile(home: Path, *, lasts: timedelta, most: int = 1000) -> Connection:
    """A connection whose keys a program gives, other ones each time it is asked, so many times."""
    expiration = (datetime.now(UTC) + lasts).isoformat()
    program = home / "credentials.py"
    program.write_text(PROGRAM.format(asked=str(home / "asked"), most=most, expiration=expiration))
    (home / ".aws" / "config").write_text(f"[profile renewed]\ncredential_process = {sys.executable} {program}\n")
    return Connection("aws", "us-east-1", profile="renewed")


def standing_for_aws(context: ssl.SSLContext, signed: list[list[str]]) -> Script:
    """A proxy with AWS behind it, which notes keys and session token of each request."""

    def play(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.encrypt(context)
        while request := peer.request():
            signed.append(sorted((key or token).decode() for key, token in WHO.findall(request)))
            peer.say(OK)

    return play


@pytest.fixture
def trusted(home: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side of a certificate for AWS's name, which the environment trusts."""
    pem, context = certificate(home, HOST)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(pem))
    return context


async def test_a_prompt_is_signed_with_the_keys_of_its_moment(
    home: Path, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, data_plane: str
) -> None:
    """Keys that are about to expire are renewed before each prompt, also on a connection that is kept."""
    signed: list[list[str]] = []
    with serving(standing_for_aws(trusted, signed)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        client = AgentCoreClient(profile(home, lasts=timedelta(minutes=5)), retry_policy=AT_ONCE, data_plane=data_plane)
        for _ in range(3):
            assert b"".join(await read(await invoke(client))) == b'"ok"'
        await client.close()

    assert server.count == 1
    assert server.failures == []
    numbers = [int(keys[0].removeprefix("AKID")) for keys in signed]
    assert signed == [[f"AKID{number}", f"TOKEN{number}"] for number in numbers]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 3


async def test_keys_that_last_are_asked_for_once(
    home: Path, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, data_plane: str
) -> None:
    signed: list[list[str]] = []
    with serving(standing_for_aws(trusted, signed)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        client = AgentCoreClient(profile(home, lasts=timedelta(hours=2)), retry_policy=AT_ONCE, data_plane=data_plane)
        for _ in range(3):
            await read(await invoke(client))
        await client.close()

    assert signed == [["AKID0", "TOKEN0"]] * 3
    assert len((home / "asked").read_text()) == 1


async def test_a_sign_in_that_has_ended_sends_nothing_and_says_so(
    home: Path, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, data_plane: str
) -> None:
    signed: list[list[str]] = []
    with serving(standing_for_aws(trusted, signed)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        client = AgentCoreClient(
            profile(home, lasts=timedelta(seconds=-1), most=0), retry_policy=AT_ONCE, data_plane=data_plane
        )
        with pytest.raises(CredentialsError):
            await invoke(client)
        await client.close()

    assert signed == []
