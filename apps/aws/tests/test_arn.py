from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws.arn import InvalidArnError, RuntimeArn, is_valid_qualifier, is_valid_region

PREFIX = "arn:aws:bedrock-agentcore:us-east-1:123456789012:"
AGENT = RuntimeArn("aws", "us-east-1", "123456789012", "my_agent-AbCdEf1234")

letters = st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
qualifiers = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,47}", fullmatch=True)
arns = st.builds(
    RuntimeArn,
    partition=st.sampled_from(["aws", "aws-cn", "aws-us-gov", "aws-iso-b"]),
    region=st.sampled_from(["us-east-1", "eu-central-2", "us-gov-west-1", "ap-southeast-3", "us-isob-east-1"]),
    account_id=st.from_regex(r"[0-9]{12}", fullmatch=True),
    runtime_id=st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,99}-[a-zA-Z0-9]{10}", fullmatch=True),
    qualifier=st.none() | qualifiers,
)


@given(arns)
def test_an_arn_survives_being_written_and_read(arn: RuntimeArn) -> None:
    """S1-025, S1-060 property 2: ARN round trip."""
    assert RuntimeArn.parse(str(arn)) == arn


@given(st.text(max_size=200) | st.text(max_size=60).map(lambda tail: PREFIX + tail))
def test_any_other_text_is_refused_with_an_explanation(text: str) -> None:
    """S1-024: nothing that a form can hold makes the parser fail otherwise."""
    try:
        arn = RuntimeArn.parse(text)
    except InvalidArnError as error:
        assert str(error).endswith(".")
    else:
        assert str(arn).startswith("arn:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runtime/my_agent-AbCdEf1234", AGENT),
        ("runtime/my_agent-AbCdEf1234/runtime-endpoint/prod", ("prod",)),
        ("runtime/my_agent-AbCdEf1234/runtime-endpoint/DEFAULT:DEFAULT", ("DEFAULT",)),
    ],
)
def test_every_form_of_a_runtime_arn_is_read(text: str, expected: RuntimeArn | tuple[str]) -> None:
    """S0-064, S0-065, S1-023: runtime ARN, endpoint ARN and OpenTelemetry's cloud.resource_id."""
    if isinstance(expected, tuple):
        expected = RuntimeArn(AGENT.partition, AGENT.region, AGENT.account_id, AGENT.runtime_id, expected[0])
    assert RuntimeArn.parse(f"\n  {PREFIX}{text} \t") == expected


ARN = f"{PREFIX}runtime/my_agent-AbCdEf1234"


@pytest.mark.parametrize(
    "text",
    [
        f'"{ARN}",',
        f"'{ARN}';",
        f"`{ARN}`",
        f"\u201c{ARN}\u201d",
        f"«{ARN}»",
        f"\u201e{ARN}\u201c.",
        f"[{ARN}]",
        f"<{ARN}>",
        f"({ARN}).",
        f"{ARN}?",
        f"{ARN}/",
        f"*{ARN}*",
        f"{ARN}?qualifier=DEFAULT",
        f"&quot;{ARN}&quot;",
        f"\u300c{ARN}\u300d",
        f"{ARN}\uff0c",
        ARN.replace("arn:", "ARN:"),
        f"\u200b{ARN}\u200b\ufeff",
        ARN.replace("runtime/", "runtime/\u2060"),
        f"\u00a0{ARN}\r\n",
        f"arn={ARN}",
        f'  "agentRuntimeArn": "{ARN}",',
        f"agent_arn: {ARN}",
        f"export AGENT_ARN='{ARN}'",
        f"AGENTRUNTIMES\t{ARN}\tmy_agent\tREADY",
        f"{ARN}\n{ARN}\n",
        f"roleArn: arn:aws:iam::123456789012:role/x, agentRuntimeArn: {ARN}",
        f"{ARN[:40]}\n{ARN[40:]}",
        f"[{ARN}](https://console.aws.amazon.com/)",
        f"https://bedrock-agentcore.us-east-1.amazonaws.com/runtimes/{quote(ARN, safe='')}/invocations?qualifier=x",
    ],
)
def test_what_people_paste_around_an_arn_does_not_matter(text: str) -> None:
    assert RuntimeArn.parse(text) == AGENT


def test_two_arns_are_not_one() -> None:
    with pytest.raises(InvalidArnError, match="This holds 2 ARNs"):
        RuntimeArn.parse(f"{ARN}, {PREFIX}runtime/other-AbCdEf1234")


@pytest.mark.parametrize(
    ("region", "is_valid"),
    [
        *dict.fromkeys(
            [
                "us-east-1", "eu-central-2", "ap-southeast-7", "ap-northeast-1", "me-south-1", "il-central-1",
                "mx-central-1", "ca-west-1", "cn-northwest-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1",
                "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1", "ap-southeast-10",
            ],
            True,
        ).items(),
        *dict.fromkeys(
            [
                "", "us-east", "us-east-1a", "us-east-0", "US-EAST-1", "us_east_1", "us-east-1 ", "us-est-1", "moon-1",
                "us.east-1", "us--east-1", "-east-1", "us-east-1-", "us-east-١", "us-east-111", "regions-east-1",
                "us-east-1\n",
            ],
            False,
        ).items(),
    ],
)  # fmt: skip
def test_regions_of_all_partitions(region: str, *, is_valid: bool) -> None:
    assert is_valid_region(region) is is_valid


def test_the_partition_is_kept() -> None:
    arn = RuntimeArn.parse("arn:aws-us-gov:bedrock-agentcore:us-gov-west-1:123456789012:runtime/x-AbCdEf1234")

    assert arn == RuntimeArn("aws-us-gov", "us-gov-west-1", "123456789012", "x-AbCdEf1234")


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("", "Enter the ARN"),
        ("my_agent", "This is not an ARN"),
        ("arn:aws:bedrock-agentcore:us-east-1", "This is not an ARN"),
        ("arn:aws:lambda:us-east-1:123456789012:function:x", "belongs to the service 'lambda'"),
        (
            "arn:amazon:bedrock-agentcore:us-east-1:123456789012:runtime/x-AbCdEf1234",
            "'amazon' is not an AWS partition",
        ),
        ("arn:aws:bedrock-agentcore:Virginia:123456789012:runtime/x-AbCdEf1234", "'Virginia' is not an AWS region"),
        ("arn:aws:bedrock-agentcore:us-east:123456789012:runtime/x-AbCdEf1234", "'us-east' is not an AWS region"),
        ("arn:aws:bedrock-agentcore:us.evil-1:123456789012:runtime/x-AbCdEf1234", "'us.evil-1' is not an AWS region"),
        ("arn:aws:bedrock-agentcore:us-east-1:12345:runtime/x-AbCdEf1234", "exactly 12 digits"),
        ("arn:aws:bedrock-agentcore:us-east-1:١٢٣٤٥٦٧٨٩٠١٢:runtime/x-AbCdEf1234", "exactly 12 digits"),
        (f"{PREFIX}runtime/my_agent-AbCdEf1234:3", "versions are not part of the ARN; choose an endpoint"),
        (f"{PREFIX}runtime/x-AbCdEf1234/runtime-endpoint/prod:3", "versions are not part of the ARN"),
        (f"{PREFIX}agent/a7c03534-1111-2222-3333-444455556666:1", "legacy form"),
        (f"{PREFIX}agentEndpoint/a7c03534-1111-2222-3333-444455556666", "legacy form"),
        (f"{PREFIX}memory/x-AbCdEf1234", "names a 'memory', not a runtime"),
        (f"{PREFIX}runtime/my-agent-AbCdEf1234", "'my-agent-AbCdEf1234' is not a runtime id"),
        (f"{PREFIX}runtime/my_agent", "'my_agent' is not a runtime id"),
        (f"{PREFIX}runtime/x-AbCdEf1234/runtime-endpoint/a-b", "does not name an endpoint"),
        (f"{PREFIX}runtime/x-AbCdEf1234/runtime-endpoint/a:b", "does not name an endpoint"),
        (f"{PREFIX}runtime/x-AbCdEf1234/../y", "does not name an endpoint"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, explanation: str) -> None:
    """S1-024: each kind of mistake has its own message."""
    with pytest.raises(InvalidArnError) as refusal:
        RuntimeArn.parse(text)

    assert explanation in str(refusal.value)


def test_what_an_arn_gives_access_to() -> None:
    """S0-066: the log group is made of the runtime id and the qualifier."""
    arn = RuntimeArn.parse(f"{PREFIX}runtime/my_agent-AbCdEf1234/runtime-endpoint/prod")

    assert arn.name == "my_agent"
    assert arn.runtime_arn == f"{PREFIX}runtime/my_agent-AbCdEf1234"
    assert arn.endpoint_arn("beta") == f"{PREFIX}runtime/my_agent-AbCdEf1234/runtime-endpoint/beta"
    assert arn.log_group() == "/aws/bedrock-agentcore/runtimes/my_agent-AbCdEf1234-DEFAULT"
    assert arn.log_group("prod") == "/aws/bedrock-agentcore/runtimes/my_agent-AbCdEf1234-prod"


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("DEFAULT", True),
        ("prod_2", True),
        ("a" * 48, True),
        ("a" * 49, False),
        ("a-b", False),
        ("2x", False),
        ("", False),
    ],
)
def test_qualifiers(text: str, *, is_valid: bool) -> None:
    assert is_valid_qualifier(text) is is_valid
