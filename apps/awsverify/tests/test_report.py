from __future__ import annotations

import pytest

from apps.awsverify.smoke.report import without_accounts


@pytest.mark.parametrize(
    ("text", "blotted"),
    [
        ("arn:aws:iam::444455556666:role/x", "arn:aws:iam::<account>:role/x"),
        ("account 444455556666.", "account <account>."),
        ("bucket-111122223333-us-east-1", "bucket-<account>-us-east-1"),
        ("5f1b1a52-4c0e-4d7a-9a55-444455556666", "5f1b1a52-4c0e-4d7a-9a55-444455556666"),
        ("4444555566667", "4444555566667"),
        ("lasted 12.444455556666 ms", "lasted 12.444455556666 ms"),
    ],
)
def test_account_ids_are_blotted_out_and_other_numbers_are_not(text: str, blotted: str) -> None:
    assert without_accounts(text, "111122223333") == blotted
