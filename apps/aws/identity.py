"""Who AWS says we are."""

from __future__ import annotations

from dataclasses import dataclass

from apps.aws.clients import client
from apps.aws.connection import Connection
from apps.aws.errors import translated


@dataclass(frozen=True, slots=True)
class Identity:
    """Who AWS says is calling."""

    account_id: str
    arn: str


def identity(connection: Connection) -> Identity:
    """Ask AWS (STS GetCallerIdentity) whose credentials these are; needs no permission.

    The emulator answers with its own account. Raises `AwsError`.
    """
    with translated(connection.profile):
        answer = client(connection, "sts", connection.region).get_caller_identity()
    return Identity(account_id=answer["Account"], arn=answer["Arn"])
