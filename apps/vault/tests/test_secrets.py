from __future__ import annotations

import io
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.core.exceptions import InvalidInputError, MissingError
from apps.vault.encryption import SecretUnreadableError, VaultClosedError, check_keys, current_key_id
from apps.vault.models import Secret, SecretUse
from apps.vault.selectors import secret_named, secrets_visible_to
from apps.vault.services import SecretNameTakenError, replace_secret, rotate_secrets, store_secret, use_secret

pytestmark = pytest.mark.django_db
VALUE = "open-sesame-4711"
KEYS = [Fernet.generate_key().decode() for _number in range(3)]


def read(secret: Secret, what: str = "a test") -> str:
    return use_secret(secret=secret, what=what, now=timezone.now()).reveal()


def test_a_value_comes_back_for_what_it_is_used_and_that_is_counted(alice: User) -> None:
    secret = store_secret(owner=alice, name="hook key", value=VALUE)

    assert [read(secret), read(secret), read(secret, "another")] == [VALUE] * 3
    assert sorted(SecretUse.objects.values_list("what", "use_count")) == [("a test", 2), ("another", 1)]
    secret.refresh_from_db()
    assert secret.last_used_at is not None


def test_no_column_holds_plaintext(alice: User) -> None:
    secret = store_secret(owner=alice, name="hook key", value=VALUE)
    replace_secret(secret=secret, value=f"{VALUE} again")
    read(secret)

    stored = [str(row) for model in (Secret, SecretUse) for row in model.objects.values()]
    assert len(stored) == 2 and not any("sesame" in row for row in stored)


@pytest.mark.django_db(transaction=True)
def test_the_file_of_the_database_holds_no_plaintext(alice: User) -> None:
    if connection.vendor != "sqlite":
        return  # the rows of the test above are all that can be read of another server
    store_secret(owner=alice, name="marker-of-the-row", value=VALUE)

    name = str(connection.settings_dict["NAME"])
    held = b"".join(path.read_bytes() for path in Path(name).parent.glob(f"{Path(name).name}*"))
    assert b"marker-of-the-row" in held
    assert b"sesame" not in held


def test_no_representation_log_or_task_carries_a_value(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        secret = store_secret(owner=alice, name="hook key", value=VALUE)
        revealed = use_secret(secret=secret, what="a test", now=timezone.now())

    told = f"{revealed!r} {revealed} {revealed!s:>5} {[revealed]} {secret!r} {secret} {vars(secret)}"
    assert "sesame" not in told
    assert not any("sesame" in record.getMessage() for record in caplog.records)
    with pytest.raises(TypeError):
        pickle.dumps(revealed)


def test_a_secret_is_its_owners_alone_and_missing_to_others(alice: User, bob: User, carol: User) -> None:
    secret = store_secret(owner=alice, name="hook key", value=VALUE)

    assert secret_named(alice, "hook key") == secret
    for stranger in (bob, carol):  # carol is of the staff
        assert not secrets_visible_to(stranger).exists()
        with pytest.raises(MissingError, match=r"No secret hook key\."):
            secret_named(stranger, "hook key")
    assert store_secret(owner=bob, name="hook key", value="his own").pk != secret.pk
    with pytest.raises(SecretNameTakenError):
        store_secret(owner=alice, name="hook key", value=VALUE)


@pytest.mark.parametrize("name", ["", " ", "-x", "a\nb", "x" * 81, "{{x}}", "a<b>"])
def test_a_name_that_could_be_misread_is_refused(alice: User, name: str) -> None:
    with pytest.raises(InvalidInputError, match="The name of a secret"):
        store_secret(owner=alice, name=name, value=VALUE)


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 10_001])
def test_a_value_that_cannot_be_one_is_refused_without_being_repeated(alice: User, value: str) -> None:
    with pytest.raises(InvalidInputError, match="A secret has 1 to"):
        store_secret(owner=alice, name="hook key", value=value)


def test_keys_are_rotated_while_everything_stays_readable(alice: User, settings: Any) -> None:
    settings.SECRET_ENCRYPTION_KEYS = (KEYS[0],)
    secrets = [store_secret(owner=alice, name=f"key {number}", value=f"{VALUE} {number}") for number in range(3)]
    settings.SECRET_ENCRYPTION_KEYS = (KEYS[1], KEYS[0])
    replace_secret(secret=secrets[0], value="new")

    out = io.StringIO()
    call_command("rotate_secrets", stdout=out)

    assert out.getvalue() == "2 secrets encrypted with the first key\n"
    assert set(Secret.objects.values_list("key_id", flat=True)) == {current_key_id()}
    settings.SECRET_ENCRYPTION_KEYS = (KEYS[1],)
    assert [read(secret) for secret in secrets] == ["new", f"{VALUE} 1", f"{VALUE} 2"]
    assert rotate_secrets() == 0


def test_what_no_key_opens_is_named_and_keeps_nobody_else_from_being_rotated(alice: User, settings: Any) -> None:
    settings.SECRET_ENCRYPTION_KEYS = (KEYS[2],)
    lost = store_secret(owner=alice, name="lost", value=VALUE)
    settings.SECRET_ENCRYPTION_KEYS = (KEYS[0],)
    kept = store_secret(owner=alice, name="kept", value=VALUE)
    settings.SECRET_ENCRYPTION_KEYS = (KEYS[1], KEYS[0])

    with pytest.raises(CommandError, match=r"The secret lost cannot be read\. Put the key"):
        call_command("rotate_secrets")
    kept.refresh_from_db()
    assert kept.key_id == current_key_id()
    with pytest.raises(SecretUnreadableError):
        read(lost)


def test_a_changed_row_is_noticed(alice: User) -> None:
    secret = store_secret(owner=alice, name="hook key", value=VALUE)
    ciphertext = Secret.objects.get().ciphertext
    Secret.objects.update(ciphertext=ciphertext[:-6] + "AAAAAA")

    with pytest.raises(SecretUnreadableError):
        read(secret)


def test_without_a_key_the_vault_is_closed_and_says_what_to_do(alice: User, settings: Any) -> None:
    settings.SECRET_ENCRYPTION_KEYS = ()

    with pytest.raises(VaultClosedError, match="no key") as caught:
        store_secret(owner=alice, name="hook key", value=VALUE)
    assert "rotate_secrets --new-key" in caught.value.text()
    assert [message.id for message in check_keys(None)] == ["vault.I001"]


def test_the_commands_store_replace_and_make_a_key(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    for value in (VALUE, "newer"):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{value}\n"))
        call_command("store_secret", "hook key", "--user", alice.email, stdout=out)
    call_command("rotate_secrets", "--new-key", stdout=out)

    stored, replaced, key = out.getvalue().splitlines()
    assert (stored, replaced) == ("hook key stored", "hook key replaced")
    assert Fernet(key)
    assert read(secret_named(alice, "hook key")) == "newer"


def test_the_administration_shows_that_there_is_one_and_never_what(alice: User, client: Client) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    client.force_login(alice)
    secret = store_secret(owner=alice, name="hook key", value=VALUE)
    read(secret)

    pages = [f"/admin/vault/secret/{tail}" for tail in ("", f"{secret.pk}/change/")] + ["/admin/vault/secretuse/"]
    texts = [client.get(page).content.decode() for page in pages]

    ciphertext = Secret.objects.get().ciphertext
    assert all("hook key" in text for text in texts)
    assert not any("sesame" in text or ciphertext[:30] in text for text in texts)
