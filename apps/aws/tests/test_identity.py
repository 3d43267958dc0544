from __future__ import annotations

import pytest

from apps.aws.identity import Identity


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        ("arn:aws:sts::111122223333:assumed-role/LoomReader/session-1", "role LoomReader"),
        ("arn:aws:iam::111122223333:user/team/alice", "user/team/alice"),
        ("arn:aws:iam::111122223333:root", "root"),
    ],
)
def test_a_caller_is_known_by_its_role(arn: str, role: str) -> None:
    assert Identity("111122223333", arn).role == role
