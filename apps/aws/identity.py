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

    @property
    def role(self) -> str:
        """The part of the ARN that a reader knows the caller by.

        The role's name of an assumed role, else what stands behind the account: `user/alice`, `root`.
        """
        resource = self.arn.split(":", 5)[-1]
        kind, _, rest = resource.partition("/")
        return f"role {rest.split('/')[0]}" if kind == "assumed-role" else resource


def identity(connection: Connection) -> Identity:
    """Ask AWS (STS GetCallerIdentity) whose credentials these are; needs no permission.

    The emulator answers with its own account. Raises `AwsError`.
    """
    with translated(connection.profile):
        answer = client(connection, "sts", connection.region).get_caller_identity()
    return Identity(account_id=answer["Account"], arn=answer["Arn"])
