"""Which AWS this is: the emulator on this machine, or a real account, never decided by what lies around.

An emulator connection ignores every environment variable and file that could name credentials, profiles, proxies or
endpoints, because every developer's machine has some. A connection to AWS takes credentials from its profile or
botocore's default chain, which refreshes them while the process runs, but no endpoint from the environment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from apps.aws.roles import Role

_LOOPBACK_URL = re.compile(
    r"https?://(?:localhost|127(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}|\[::1\])(?::[0-9]{1,5})?/?"
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where requests go and who signs them.

    `region` is the default for discovery only: a call about an agent goes to the region of its ARN. `endpoint_url`
    belongs to the emulator, where it is required and must be a loopback address; `profile` belongs to AWS. With a
    `role` every request is signed as that, in its account. Connections that differ share no client and no credentials.
    Raises `ValueError` for any other combination.
    """

    origin: Literal["emulator", "aws"]
    region: str
    profile: str | None = None
    endpoint_url: str | None = None
    role: Role | None = None

    def __post_init__(self) -> None:
        if self.origin == "aws":
            if self.endpoint_url is not None:
                raise ValueError("A connection to AWS takes no endpoint URL; it is derived from the region.")
        elif self.endpoint_url is None or _LOOPBACK_URL.fullmatch(self.endpoint_url) is None:
            raise ValueError(
                "The emulator's endpoint URL must be http(s)://, a loopback address and a port, "
                "for example http://127.0.0.1:8100."
            )
        elif self.profile is not None:
            raise ValueError("A connection to the emulator takes no profile; it never reads AWS credentials.")
