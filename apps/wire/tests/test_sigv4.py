"""What is signed here is signed as botocore signs it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.wire.sigv4 import Keys, Signer

ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234"
HOST = "bedrock-agentcore.us-east-1.amazonaws.com"
AT = datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    keys: Keys
    region: str


def by_botocore(case: Case) -> tuple[datetime, list[tuple[str, str]]]:
    """When botocore signed, and all headers that its request has then."""
    url = f"https://{HOST}{case.path}" + (f"?{case.query}" if case.query else "")
    request = AWSRequest(method=case.method, url=url, data=case.body)
    for name, value in case.headers:
        request.headers[name] = value
    credentials = Credentials(case.keys.access_key, case.keys.secret_key, case.keys.token)
    SigV4Auth(credentials, "bedrock-agentcore", case.region).add_auth(request)
    at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return at, list(request.headers.items())


def sign(case: Case, at: datetime, signer: Signer | None = None) -> list[tuple[str, str]]:
    signer = signer or Signer(region=case.region, service="bedrock-agentcore")
    return signer.sign(
        method=case.method, path=case.path, query=case.query, headers=case.headers, body=case.body, keys=case.keys,
        at=at,
    )  # fmt: skip


def differs(case: Case, signer: Signer | None = None) -> bool:
    at, expected = by_botocore(case)
    return [*case.headers, *sign(case, at, signer)] != expected


LETTERS = "abzAZ019-_.~"
STRANGE = " !$'()*+,;:@%éß漢🙂\u00a0"
NAMES = ["X-Amzn-Bedrock-AgentCore-Runtime-Session-Id", "Accept", "Content-Type", "x-b", "X-A", "X_C", *(
    name.title() for name in SIGNED_HEADERS_BLACKLIST
)]  # fmt: skip


def any_text(source: random.Random, letters: str, longest: int = 12) -> str:
    return "".join(source.choices(letters, k=source.randint(0, longest)))


def any_path(source: random.Random) -> str:
    if source.random() < 0.5:
        return f"/runtimes/{quote(ARN + any_text(source, LETTERS + STRANGE), safe='')}/invocations"
    parts = [
        source.choice(["", ".", "..", "runtimes", "%2F", "a%20b", quote(any_text(source, LETTERS + STRANGE), safe="~")])
        for _ in range(source.randint(0, 6))
    ]
    return "/" + "/".join(parts)


def any_query(source: random.Random) -> str:
    pairs = []
    for _ in range(source.choice([0, 1, 1, 3])):
        name, value = (quote(any_text(source, LETTERS + STRANGE), safe="-_.~") for _ in range(2))
        pairs.append(source.choice([f"{name}={value}", f"{name}={value}=", name, "qualifier=DEFAULT"]))
    return "&".join(pairs)


def any_case(source: random.Random) -> Case:
    names = source.choices(NAMES, k=source.randint(0, 6))
    space = ["", " ", "  ", "\t"]
    headers = [
        (name, source.choice(space) + any_text(source, LETTERS + STRANGE + "  ") + source.choice(space))
        for name in names
    ]
    return Case(
        source.choice(["POST", "GET", "DELETE"]),
        any_path(source),
        any_query(source),
        [("Host", HOST), *headers],
        source.choice([b"", b"{}", source.randbytes(50), "漢字".encode()]),
        Keys("AKID" + any_text(source, LETTERS), any_text(source, LETTERS + "/+", 40), source.choice([None, "t/+=="])),
        source.choice(["us-east-1", "eu-central-1", "cn-north-1"]),
    )


def test_ten_thousand_requests_are_signed_as_botocore_signs_them() -> None:
    source = random.Random(4)
    signers: dict[str, Signer] = {}
    for _ in range(10_000):
        case = any_case(source)
        signer = signers.setdefault(case.region, Signer(region=case.region, service="bedrock-agentcore"))
        assert not differs(case, signer), case


# botocore takes header values that no HTTP request can carry, and parts of a URL that none has.
_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@settings(max_examples=1_000, deadline=None)
@given(st.lists(_WORDS, max_size=3), st.lists(st.tuples(_WORDS, _WORDS), max_size=3), _WORDS, _WORDS, st.binary())
def test_whatever_stands_in_it_is_signed_as_botocore_signs_it(
    path: list[str], query: list[tuple[str, str]], header: str, secret: str, body: bytes
) -> None:
    case = Case(
        "POST",
        "/" + "/".join(quote(part, safe="") for part in path),
        "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query),
        [("Host", HOST), ("Accept", header), ("X-Amzn-Trace-Id", header)],
        body,
        Keys("AKID", secret),
        "us-east-1",
    )
    assert not differs(case)


def test_the_example_of_awss_documentation_comes_out() -> None:
    """The IAM user guide, "Create a signed AWS API request", with the keys that AWS prints everywhere."""
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    added = Signer(region="us-east-1", service="iam").sign(
        method="GET", path="/", query="Action=ListUsers&Version=2010-05-08", body=b"", keys=keys,
        headers=[
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), ("Host", "iam.amazonaws.com")
        ],
        at=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )  # fmt: skip
    assert added[-1][1].endswith("Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")


def test_the_key_follows_the_day_and_the_secret() -> None:
    """One signer for all the days that a process lives, and for keys that are renewed meanwhile."""
    signer = Signer(region="us-east-1", service="bedrock-agentcore")
    case = Case("POST", "/", "", [("Host", HOST)], b"", Keys("AKID", "one"), "us-east-1")
    renewed = Case("POST", "/", "", [("Host", HOST)], b"", Keys("AKID", "two"), "us-east-1")
    for at in (AT, AT.replace(day=30), AT):
        for one in (case, renewed, case):
            assert sign(one, at, signer) == sign(one, at)


def test_keys_are_not_printed() -> None:
    assert "wJal" not in repr(Keys("AKID", "wJal", "wJal"))
