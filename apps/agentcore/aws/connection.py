"""Which AWS this installation talks to. `LOOM_AWS` alone decides; nothing ambient does."""

from __future__ import annotations

from django.conf import settings

from apps.aws.connection import Connection


def current_connection() -> Connection:
    """The connection that the settings describe: the emulator on loopback, or AWS through the configured profile."""
    if settings.LOOM_AWS == "emulator":
        return Connection(origin="emulator", region=settings.AWS_REGION, endpoint_url=settings.EMULATOR_URL)
    return Connection(origin="aws", region=settings.AWS_REGION, profile=settings.AWS_PROFILE)
