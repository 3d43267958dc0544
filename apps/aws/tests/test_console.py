from __future__ import annotations

import pytest

from apps.aws.arn import RuntimeArn
from apps.aws.console import log_group_url

PLACE = "#logsV2:log-groups/log-group/$252Faws$252Fbedrock-agentcore$252Fruntimes$252Fmy_agent-AbCdEf1234-prod"


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_a_log_group_is_found_in_the_console_of_its_partition(partition: str, region: str, host: str) -> None:
    arn = RuntimeArn(partition, region, "123456789012", "my_agent-AbCdEf1234")
    assert log_group_url(arn, "prod") == f"https://{host}/cloudwatch/home?region={region}{PLACE}"


def test_a_partition_whose_console_is_not_known_has_no_link() -> None:
    arn = RuntimeArn("aws-iso", "us-iso-east-1", "123456789012", "my_agent-AbCdEf1234")
    assert log_group_url(arn, "DEFAULT") == ""
