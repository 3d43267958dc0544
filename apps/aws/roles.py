"""Roles in other accounts that Loom's own identity may take on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

_ROLE_ARN_PATTERN = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z0-9-]+)?):iam::(?P<account_id>[0-9]{12}):role/(?P<name>[\w+=,.@/-]{1,575})", re.ASCII
)
_EXTERNAL_ID_PATTERN = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_EXAMPLE = "arn:aws:iam::111122223333:role/loom-access"


class InvalidRoleError(ValueError):
    """What cannot be a role or its external id; the message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and the external id with which its account tells Loom from whoever else knows the role's name.

    Raises InvalidRoleError.
    """

    arn: str
    external_id: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if _ROLE_ARN_PATTERN.fullmatch(self.arn) is None:
            _refuse(self.arn)
        if self.external_id and _EXTERNAL_ID_PATTERN.fullmatch(self.external_id) is None:
            raise InvalidRoleError(
                "An external id has 2 to 1,224 characters: letters, digits and any of + = , . @ : / - _"
            )

    @property
    def account_id(self) -> str:
        return self.arn.split(":")[4]


def _refuse(arn: str) -> NoReturn:
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        raise InvalidRoleError(f"This is not an ARN. A role's ARN looks like {_EXAMPLE}.")
    if parts[2] != "iam" or not parts[5].startswith("role/"):
        raise InvalidRoleError(f"This ARN names no role. A role's ARN looks like {_EXAMPLE}.")
    if re.fullmatch(r"[0-9]{12}", parts[4], re.ASCII) is None:
        raise InvalidRoleError("The account id in a role's ARN has exactly 12 digits.")
    raise InvalidRoleError(f"This is not a role's ARN, which looks like {_EXAMPLE}.")
