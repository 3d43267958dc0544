"""What the operations of CloudWatch Logs share: finding what their requests name, and their errors."""

from __future__ import annotations

import re
from typing import Any

from apps.emulator.aws_wire import AwsError
from apps.emulator.logs.store import LogGroup, LogStore, LogStream
from apps.emulator.service_model import Reason

Body = dict[str, Any]
GROUP_ARN = re.compile(r"arn:aws[a-z-]*:logs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):log-group:(?P<name>[^:]+)")


def refuse_request(message: str, reason: Reason) -> AwsError:
    """How CloudWatch Logs refuses a request."""
    is_malformed = reason is Reason.CANNOT_PARSE
    return AwsError(400, "SerializationException" if is_malformed else "InvalidParameterException", message)


def invalid_parameter_error(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterException", message)


def missing_error(what: str) -> AwsError:
    return AwsError(400, "ResourceNotFoundException", f"The specified log {what} does not exist.")


def existing_error(what: str) -> AwsError:
    return AwsError(400, "ResourceAlreadyExistsException", f"The specified log {what} already exists")


def invalid_page_error() -> AwsError:
    return invalid_parameter_error("The specified nextToken is invalid.")


def group_name_in(identifier: str) -> str:
    """Return the name of a group out of its name or ARN."""
    arn = GROUP_ARN.fullmatch(identifier)
    return identifier if arn is None else arn["name"]


def find_group(logs: LogStore, region: str, body: Body) -> LogGroup:
    """Return the group that logGroupName or logGroupIdentifier (a name or an ARN) names."""
    name, identifier = body.get("logGroupName"), body.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid_parameter_error("Exactly one of logGroupName and logGroupIdentifier must be given.")
    group = logs.group(region, group_name_in(str(identifier)) if name is None else name)
    if group is None:
        raise missing_error("group")
    return group


def find_stream(group: LogGroup, name: str) -> LogStream:
    stream = group.streams.get(name)
    if stream is None:
        raise missing_error("stream")
    return stream
