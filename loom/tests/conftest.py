from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws.tests.loopback import loopback
from loom.tests.doors.furnishing import refuse
from loom.tests.recorded_aws import aws_home as aws_home
from loom.tests.recorded_aws import recorded_aws as recorded_aws


@pytest.fixture
def refusing_aws(settings: Any) -> Iterator[None]:
    """An AWS that refuses everything at once: one that is not there is asked again and again."""
    with loopback(refuse) as aws:
        settings.EMULATOR_URL = aws.url
        yield
