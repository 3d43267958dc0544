"""Addresses of AWS's console, where somebody with an account of his own looks on; "" where none is known."""

from __future__ import annotations

from urllib.parse import quote

from apps.aws.arn import RuntimeArn
from apps.aws.traces import xray_id

# Of the other partitions no address is known.
_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def runtime_url(arn: RuntimeArn) -> str:
    """Where the console shows a runtime."""
    return _url(arn, f"bedrock-agentcore/agents/{quote(arn.runtime_id, safe='')}?region={arn.region}")


def log_group_url(arn: RuntimeArn, log_group: str) -> str:
    """Where the console shows a log group of the runtime's region."""
    return _cloudwatch(arn, f"logsV2:log-groups/log-group/{_in_fragment(log_group)}")


def log_stream_url(arn: RuntimeArn, log_group: str, stream: str) -> str:
    """Where the console shows the lines of one stream."""
    place = f"logsV2:log-groups/log-group/{_in_fragment(log_group)}/log-events/{_in_fragment(stream)}"
    return _cloudwatch(arn, place)


def trace_url(arn: RuntimeArn, trace_id: str) -> str:
    """Where the console shows a trace; also "" for what is no trace's id."""
    trace = xray_id(trace_id)
    return _cloudwatch(arn, f"xray:traces/{trace}") if trace else ""


def _cloudwatch(arn: RuntimeArn, place: str) -> str:
    return _url(arn, f"cloudwatch/home?region={arn.region}#{place}")


def _url(arn: RuntimeArn, rest: str) -> str:
    host = _HOSTS.get(arn.partition)
    return "" if host is None else f"https://{arn.region}.{host}/{rest}"


def _in_fragment(name: str) -> str:
    """Encoded twice, with a dollar for the second percent sign, as the console's own links are."""
    return quote(quote(name, safe=""), safe="").replace("%", "$")
