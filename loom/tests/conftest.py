from __future__ import annotations

from loom.tests.recorded_aws import aws_home as aws_home
from loom.tests.recorded_aws import recorded_aws as recorded_aws
