from __future__ import annotations

import pytest

from apps.aws.arn import RuntimeArn
from apps.aws.console import log_group_url, log_stream_url, runtime_url, trace_url
from apps.aws.traces import trace_hex, xray_id

RUNTIME = "my_agent-AbCdEf1234"
GROUP = f"/aws/bedrock-agentcore/runtimes/{RUNTIME}-prod"
GROUP_PLACE = "#logsV2:log-groups/log-group/$252Faws$252Fbedrock-agentcore$252Fruntimes$252Fmy_agent-AbCdEf1234-prod"
STREAM = "2026/11/20/[runtime-logs-s1]0a1b c:d"
STREAM_PLACE = "/log-events/2026$252F11$252F20$252F$255Bruntime-logs-s1$255D0a1b$2520c$253Ad"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def arn_in(partition: str, region: str) -> RuntimeArn:
    return RuntimeArn(partition, region, "123456789012", RUNTIME)


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_each_thing_is_found_in_the_console_of_its_partition(partition: str, region: str, host: str) -> None:
    arn, cloudwatch = arn_in(partition, region), f"https://{host}/cloudwatch/home?region={region}"

    assert log_group_url(arn, GROUP) == f"{cloudwatch}{GROUP_PLACE}"
    assert log_stream_url(arn, GROUP, STREAM) == f"{cloudwatch}{GROUP_PLACE}{STREAM_PLACE}"
    assert trace_url(arn, TRACE) == f"{cloudwatch}#xray:traces/1-5759e988-bd862e3fe1be46a994272793"
    assert runtime_url(arn) == f"https://{host}/bedrock-agentcore/agents/{RUNTIME}?region={region}"


def test_a_partition_whose_console_is_not_known_has_no_link() -> None:
    arn = arn_in("aws-iso", "us-iso-east-1")
    urls = (log_group_url(arn, GROUP), log_stream_url(arn, GROUP, STREAM), trace_url(arn, TRACE), runtime_url(arn))
    assert urls == ("", "", "", "")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        (TRACE, "5759e988bd862e3fe1be46a994272793"),
        ("1-5759E988-BD862E3FE1BE46A994272793", "5759e988bd862e3fe1be46a994272793"),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("00-00000000000000000000000000000000-0000000000000000-00", ""),
        ("Self=1-5759e988-bd862e3fe1be46a9942727931", ""),
        ("4bf92f3577b34da6a3ce929d0e0e47367", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_a_trace_is_the_same_however_its_id_is_written(text: str, digits: str) -> None:
    assert trace_hex(text) == digits
    assert xray_id(text) == (f"1-{digits[:8]}-{digits[8:]}" if digits else "")
    assert (trace_url(arn_in("aws", "us-east-1"), text) == "") == (digits == "")
