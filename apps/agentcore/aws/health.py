"""Whether AWS, or the emulator, answers: part of `/readyz`, where it can only degrade."""

from __future__ import annotations

from apps.agentcore.aws.connection import current_connection


def check_aws() -> str | None:
    """Tell what is wrong with AWS: credentials that it does not take, or no answer.

    On AWS it asks who is calling, which needs no permission; the emulator is asked for its runtimes.
    """
    from apps.aws.control import list_runtimes  # noqa: PLC0415 -- boto3: every process registers this, few ask
    from apps.aws.errors import AwsError  # noqa: PLC0415
    from apps.aws.identity import identity  # noqa: PLC0415

    connection = current_connection()
    try:
        if connection.origin == "aws":
            identity(connection)
        else:
            next(list_runtimes(connection, connection.region), None)
    except AwsError as error:
        return f"{error.code}: {error.message}"
    return None
