"""Addresses of AWS's console, where somebody with an account of his own looks on."""

from __future__ import annotations

from urllib.parse import quote

from apps.aws.arn import RuntimeArn

# Of the other partitions no address is known.
_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def log_group_url(arn: RuntimeArn, qualifier: str) -> str:
    """Where the console shows the log group of an endpoint; "" where its partition has no known console."""
    host = _HOSTS.get(arn.partition)
    if host is None:
        return ""
    # Encoded twice, with a dollar for the second percent sign, as the console's own links are.
    name = quote(quote(arn.log_group(qualifier), safe=""), safe="").replace("%", "$")
    return f"https://{arn.region}.{host}/cloudwatch/home?region={arn.region}#logsV2:log-groups/log-group/{name}"
