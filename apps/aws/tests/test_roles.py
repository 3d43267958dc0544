from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.control import list_runtimes
from apps.aws.errors import CredentialsError, RoleRefusedError
from apps.aws.identity import identity
from apps.aws.logs.reading import LogGroupNotFoundError, RuntimeLogs
from apps.aws.roles import InvalidRoleError, Role
from apps.aws.tests.invoking import DATA_PLANES, SESSION, read
from apps.aws.tests.two_accounts import (
    EXTERNAL_ID,
    OWN_ACCOUNT,
    REGION,
    SECOND_ACCOUNT,
    THIRD_ACCOUNT,
    TwoAccounts,
    role_of,
    two_accounts,
)

_EARLY = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def aws() -> Iterator[TwoAccounts]:
    with two_accounts() as running:
        yield running


async def answer_of(invoker: AgentCoreClient, arn: RuntimeArn) -> bytes:
    response = await invoker.invoke(arn, qualifier="DEFAULT", runtime_session_id=SESSION, payload=b"{}")
    return b"".join(await read(response))


def test_every_read_goes_to_the_account_of_its_connection_and_to_no_other(aws: TwoAccounts) -> None:
    """S0-113: the same name in two accounts is two agents, two log groups, two callers."""
    first = aws.add_runtime(SECOND_ACCOUNT, "tutor")
    second = aws.add_runtime(THIRD_ACCOUNT, "tutor")
    aws.write_log(first, "2026/01/01/[runtime-logs]a", int(time.time() * 1000), "of the second")

    for arn in (first, second):
        connection = aws.connection(arn.account_id)
        assert [runtime.arn for runtime in list_runtimes(connection, REGION)] == [arn.runtime_arn]
        assert identity(connection).account_id == arn.account_id
    logs: Any = client(aws.connection(SECOND_ACCOUNT), "logs", REGION)
    events = logs.filter_log_events(logGroupName=first.log_group())["events"]
    assert [event["message"] for event in events] == ["of the second"]
    assert not client(aws.connection(THIRD_ACCOUNT), "logs", REGION).filter_log_events(logGroupName=second.log_group())[
        "events"
    ]
    assert list(list_runtimes(aws.own(), REGION)) == []
    assert identity(aws.own()).account_id == OWN_ACCOUNT


def test_a_log_group_of_another_account_does_not_exist(aws: TwoAccounts) -> None:
    arn = aws.add_runtime(SECOND_ACCOUNT, "tutor")
    logs = RuntimeLogs(aws.own())

    with pytest.raises(LogGroupNotFoundError):
        list(logs.pages(region=REGION, log_group=arn.log_group(), start=_EARLY, max_pages=1))


@pytest.mark.parametrize("data_plane", DATA_PLANES)
async def test_a_prompt_is_signed_by_the_account_of_its_agent(aws: TwoAccounts, data_plane: str) -> None:
    arns = [aws.add_runtime(account_id, "tutor") for account_id in (OWN_ACCOUNT, SECOND_ACCOUNT, THIRD_ACCOUNT)]
    invokers = [AgentCoreClient(aws.through(arn.account_id), data_plane=data_plane) for arn in arns]

    answers = [await answer_of(invoker, arn) for invoker, arn in zip(invokers, arns, strict=True)]

    assert answers == [f'data: "answered in {arn.account_id}"\n\n'.encode() for arn in arns]
    assert [call.account_id for call in aws.calls if call.service == "bedrock-agentcore"] == [
        OWN_ACCOUNT, SECOND_ACCOUNT, THIRD_ACCOUNT,
    ]  # fmt: skip
    for invoker in invokers:
        await invoker.close()


def test_a_role_is_assumed_once_for_all_services_and_regions(aws: TwoAccounts) -> None:
    connection = aws.connection(SECOND_ACCOUNT)

    for region in (REGION, "eu-west-1", REGION):
        list(list_runtimes(connection, region))
    identity(connection)

    assert aws.assumed == [role_of(SECOND_ACCOUNT).arn]


def test_keys_that_are_about_to_expire_are_renewed(aws: TwoAccounts) -> None:
    aws.lifetime_s = 60  # botocore renews what lasts for less than ten minutes
    connection = aws.connection(SECOND_ACCOUNT)

    list(list_runtimes(connection, REGION))
    aws.lifetime_s = 3600
    for _ in range(3):
        list(list_runtimes(connection, REGION))

    assert len(aws.assumed) == 2
    assert len({call.account_id for call in aws.calls if call.service != "sts"}) == 1


@pytest.mark.parametrize("data_plane", DATA_PLANES)
async def test_the_keys_of_prompts_are_renewed_too(aws: TwoAccounts, data_plane: str) -> None:
    arn = aws.add_runtime(SECOND_ACCOUNT, "tutor")
    aws.assumed.clear()
    aws.lifetime_s = 60
    invoker = AgentCoreClient(aws.connection(SECOND_ACCOUNT), data_plane=data_plane)

    await answer_of(invoker, arn)
    before = len(aws.assumed)
    aws.lifetime_s = 3600
    for _ in range(3):
        await answer_of(invoker, arn)
    await invoker.close()

    assert len(aws.assumed) == before + 1


def test_a_role_that_does_not_let_loom_in_says_what_to_look_at(aws: TwoAccounts) -> None:
    """A confused deputy: who knows the role's name and not the external id gets nothing."""
    for external_id in ("", "guessed"):
        with pytest.raises(RoleRefusedError) as refused:
            list(list_runtimes(aws.connection(SECOND_ACCOUNT, external_id), REGION))
        assert refused.value.code == "AccessDenied"
        assert "external id" in refused.value.advice
    assert not aws.accounts_of("bedrock-agentcore")


async def test_a_prompt_through_a_role_that_refuses_was_not_sent(aws: TwoAccounts) -> None:
    arn = RuntimeArn("aws", REGION, SECOND_ACCOUNT, "tutor-AbCdEf1234")
    invoker = AgentCoreClient(aws.connection(SECOND_ACCOUNT, "guessed"))
    sent: list[int] = []

    with pytest.raises(RoleRefusedError):
        await invoker.invoke(
            arn, qualifier="DEFAULT", runtime_session_id=SESSION, payload=b"{}", on_send=sent.append
        )  # fmt: skip
    await invoker.close()

    assert sent == []


def test_a_role_without_credentials_of_loom_has_none(home: object) -> None:
    connection = Connection("aws", REGION, role=role_of(SECOND_ACCOUNT))
    with pytest.raises(CredentialsError, match="No usable AWS credentials"):
        identity(connection)


@pytest.mark.parametrize(
    ("arn", "external_id"),
    [
        ("loom", ""),
        ("arn:aws:iam::1234:role/loom", ""),
        ("arn:aws:iam::123456789012:user/loom", ""),
        ("arn:aws:sts::123456789012:assumed-role/loom/x", ""),
        ("arn:aws:iam::123456789012:role/", ""),
        ("arn:aws:iam::123456789012:role/lo om", ""),
        ("arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/loom", ""),
        ("arn:aws:iam::123456789012:role/loom\n", ""),
        ("arn:aws:iam::123456789012:role/loom", "x"),
        ("arn:aws:iam::123456789012:role/loom", "two words"),
    ],
)
def test_what_is_no_role_is_refused(arn: str, external_id: str) -> None:
    with pytest.raises(InvalidRoleError):
        Role(arn, external_id)


def test_an_external_id_is_in_no_text() -> None:
    assert EXTERNAL_ID not in repr(role_of(SECOND_ACCOUNT))
    assert Role("arn:aws-us-gov:iam::123456789012:role/path/loom").account_id == "123456789012"
