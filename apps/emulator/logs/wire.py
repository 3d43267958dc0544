"""What the operations of CloudWatch Logs share: reading their bodies, finding what they name, their errors."""

from __future__ import annotations

from typing import Any

from apps.emulator.aws_wire import AwsError, decode_page_token, encode_page_token
from apps.emulator.logs.store import LogGroup, LogStore, LogStream

Body = dict[str, Any]


def invalid_parameter_error(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterException", message)


def missing_error(what: str) -> AwsError:
    return AwsError(400, "ResourceNotFoundException", f"The specified log {what} does not exist.")


def invalid_page_error() -> AwsError:
    return invalid_parameter_error("The specified nextToken is invalid.")


def bounded(body: Body, member: str, default: int, highest: int) -> int:
    """Read an integer between 1 and `highest`; raises the AwsError InvalidParameterException."""
    value = body.get(member, default)
    if not isinstance(value, int) or not 1 <= value <= highest:
        raise invalid_parameter_error(
            f"1 validation error detected: Value at '{member}' must be between 1 and {highest}"
        )
    return value


def find_group(logs: LogStore, region: str, body: Body) -> LogGroup:
    """Return the group that logGroupName or logGroupIdentifier (a name or an ARN) names."""
    name, identifier = body.get("logGroupName"), body.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid_parameter_error("Exactly one of logGroupName and logGroupIdentifier must be given.")
    if name is None:
        name = str(identifier).split(":log-group:")[-1].removesuffix(":*")
    group = logs.group(region, name)
    if group is None:
        raise missing_error("group")
    return group


def find_stream(group: LogGroup, name: str | None) -> LogStream:
    stream = group.streams.get(name or "")
    if stream is None:
        raise missing_error("stream")
    return stream


def cut_page(items: list[Body], body: Body, limit: int) -> tuple[list[Body], Body]:
    """Return the page that nextToken asks for, and the member nextToken if more follow."""
    start = 0
    if body.get("nextToken") is not None:
        try:
            start = int(decode_page_token(body["nextToken"]))
        except (ValueError, TypeError) as error:
            raise invalid_page_error() from error
    end = start + limit
    return items[start:end], {"nextToken": encode_page_token(end)} if end < len(items) else {}
