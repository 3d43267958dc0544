from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import Token, User
from apps.accounts.selectors import user_of_command
from apps.accounts.services import (
    MAX_LIFE,
    USE_NOTED_EVERY,
    create_token,
    passing_token,
    revoke_token,
    use_token,
)
from apps.accounts.sign_in.development import DEVELOPMENT_EMAIL
from apps.accounts.tokens import SCOPES, TokenRefusedError, bearer_secret, digest, includes, new_secret
from apps.core.exceptions import InvalidInputError

DAY = timedelta(days=1)


def run(command: str, *arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_secret_of_a_token_is_not_stored(alice: User) -> None:
    token, secret = create_token(user=alice, scope="invoke", life=DAY, name="ci")
    row = Token.objects.values().get()

    assert (token.user, row["scope"], row["name"], row["digest"]) == (alice, "invoke", "ci", digest(secret))
    assert secret.startswith(row["shown"]) and len(row["shown"]) == 11
    assert secret not in str(row) and secret not in str(token)
    assert use_token(secret) == token


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expires_at": timezone.now() - DAY}, "This token has expired."),
        ({"revoked_at": timezone.now() - DAY}, "This token was revoked."),
        ({"digest": "0" * 64}, "This token is not known."),
    ],
)
def test_a_token_that_is_no_good_says_why(alice: User, change: dict[str, Any], message: str) -> None:
    _, secret = create_token(user=alice, scope="read", life=DAY)
    Token.objects.update(**change)

    with pytest.raises(TokenRefusedError, match=message):
        use_token(secret)


def test_the_token_of_who_may_not_sign_in_is_refused(alice: User) -> None:
    _, secret = create_token(user=alice, scope="read", life=DAY)
    User.objects.update(is_active=False)

    with pytest.raises(TokenRefusedError):
        use_token(secret)


def test_a_use_is_noted_now_and_then_and_not_each_time(alice: User, django_assert_num_queries: Any) -> None:
    token, secret = create_token(user=alice, scope="read", life=DAY)
    use_token(secret)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None and timezone.now() - first < timedelta(minutes=1)
    with django_assert_num_queries(1):
        use_token(secret)

    Token.objects.update(last_used_at=first - USE_NOTED_EVERY)
    use_token(secret)
    token.refresh_from_db()
    assert token.last_used_at is not None and token.last_used_at >= first


@pytest.mark.parametrize("life", [timedelta(0), -DAY, MAX_LIFE + DAY])
def test_a_token_has_a_life_with_an_end(alice: User, life: timedelta) -> None:
    with pytest.raises(InvalidInputError):
        create_token(user=alice, scope="read", life=life)
    assert not Token.objects.exists()


def test_a_passing_token_is_gone_after_its_block(alice: User) -> None:
    with passing_token(user=alice, scope="invoke", life=DAY, name="chat") as secret:
        assert use_token(secret).name == "chat"
    assert not Token.objects.exists()


def test_a_new_token_clears_those_that_expired_long_ago(alice: User, bob: User) -> None:
    for user in (alice, bob):
        create_token(user=user, scope="read", life=DAY)
    Token.objects.update(expires_at=timezone.now() - timedelta(days=40))
    create_token(user=alice, scope="read", life=DAY)

    assert [token.user for token in Token.objects.filter(expires_at__lt=timezone.now())] == [bob]
    assert Token.objects.filter(user=alice).count() == 1


def test_revoking_twice_keeps_the_first_instant(alice: User) -> None:
    token, _ = create_token(user=alice, scope="read", life=DAY)
    revoke_token(token=token)
    token.refresh_from_db()
    first = token.revoked_at
    revoke_token(token=token)
    token.refresh_from_db()

    assert first is not None and token.revoked_at == first and not token.is_valid


def test_each_scope_includes_those_before_it() -> None:
    allowed = {granted: [wanted for wanted in SCOPES if includes(granted, wanted)]
               for granted in (*SCOPES, "other")}  # fmt: skip

    assert allowed == {
        "metrics": ["metrics"],
        "read": ["metrics", "read"],
        "invoke": ["metrics", "read", "invoke"],
        "manage": ["metrics", "read", "invoke", "manage"],
        "other": [],
    }


@pytest.mark.parametrize(
    ("header", "secret"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Bearer", ""), ("Basic abc", None), ("", None)],
)
def test_the_token_of_a_header(header: str, secret: str | None) -> None:
    assert bearer_secret({"authorization": header}) == secret


@given(st.text())
def test_any_header_has_a_token_or_none(header: str) -> None:
    secret = bearer_secret({"authorization": header})
    assert secret is None or secret in header


def test_tokens_differ_and_can_be_told_by_their_beginning() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert all(len(secret) == 48 and secret.startswith("loom_") for secret in (new_secret() for _ in range(20)))


def test_the_command_writes_the_token_alone_to_its_output(alice: User) -> None:
    out, err = run("create_token", "--user", "ALICE@example.com", "--scope", "manage", "--days", "7", "--name", "ci")

    token = use_token(out.strip())
    assert (token.user, token.scope, token.name) == (alice, "manage", "ci")
    assert timedelta(days=6) < token.expires_at - timezone.now() <= timedelta(days=7)
    assert err.strip() == (
        f"This token of alice@example.com may manage until {token.expires_at:%Y-%m-%d}. It is not shown again."
    )


def test_the_command_says_what_it_cannot_do(alice: User) -> None:
    with pytest.raises(CommandError, match=r"There is no active user nobody@example\.com\."):
        run("create_token", "--user", "nobody@example.com")
    with pytest.raises(CommandError, match="There is no superuser, so say who you are with --user"):
        run("create_token")
    with pytest.raises(CommandError, match="at most 3650 days"):
        run("create_token", "--user", alice.email, "--days", "4000")


def test_a_token_is_revoked_by_itself_or_by_its_beginning(alice: User) -> None:
    secrets = [create_token(user=alice, scope="read", life=DAY)[1] for _ in range(3)]
    run("revoke_token", secrets[0])
    out, _ = run("revoke_token", secrets[1][:11])

    assert out == f"{secrets[1][:11]}… of alice@example.com is refused from now on.\n"
    assert use_token(secrets[2])
    for secret in secrets[:2]:
        with pytest.raises(TokenRefusedError):
            use_token(secret)
    assert run("revoke_token")[0].split()[0] == f"{secrets[2][:11]}…"
    with pytest.raises(CommandError, match="No good token begins like this"):
        run("revoke_token", secrets[0])
    with pytest.raises(CommandError, match="at least its first 11"):
        run("revoke_token", "loom_")


def test_the_only_superuser_or_the_development_user_acts_for_a_command(alice: User, settings: Any) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    assert user_of_command(None) == alice

    settings.AUTH_DISABLED = settings.DEBUG = True
    assert user_of_command(None).email == DEVELOPMENT_EMAIL
    settings.AUTH_DISABLED = False
    with pytest.raises(InvalidInputError, match="several superusers"):
        user_of_command(None)
