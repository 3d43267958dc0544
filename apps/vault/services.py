"""Store, use and re-encrypt secrets. What reads one says what for, and that is kept beside it."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.exceptions import ConflictError, InvalidInputError
from apps.vault.encryption import Revealed, SecretUnreadableError, current_key_id, decrypt, encrypt
from apps.vault.models import Secret, SecretUse

LONGEST_VALUE = 10_000
_NAME = re.compile(r"[^\W_][\w .:/@-]*")


class SecretNameTakenError(ConflictError):
    """The owner has a secret of this name."""

    code = "secret_name_taken"


def store_secret(*, owner: User, name: str, value: str) -> Secret:
    """Encrypt a value and keep it under a name. Raises SecretNameTakenError and VaultClosedError."""
    name = name.strip()
    if len(name) > Secret.NAME_LENGTH or not _NAME.fullmatch(name):
        raise InvalidInputError(
            _("The name of a secret has up to %(most)s letters, figures and -_.:/@ signs, a letter or figure first.")
            % {"most": Secret.NAME_LENGTH}
        )
    now = timezone.now()
    columns = {"ciphertext": encrypt(_checked(value)), "key_id": current_key_id(), "created_at": now, "changed_at": now}
    try:
        with transaction.atomic():
            return Secret.objects.create(owner=owner, name=name, **columns)
    except IntegrityError:
        raise SecretNameTakenError(_("You have a secret called %(name)s already.") % {"name": name}) from None


def replace_secret(*, secret: Secret, value: str) -> None:
    """Give a secret another value; whoever uses it by its name gets the new one from now on."""
    Secret.objects.filter(pk=secret.pk).update(
        ciphertext=encrypt(_checked(value)), key_id=current_key_id(), changed_at=timezone.now()
    )


def use_secret(*, secret: Secret, what: str, now: datetime) -> Revealed:
    """Read a value for what it is needed for, and count that. Raises SecretUnreadableError and VaultClosedError.

    Whether whoever asks may is decided before: a secret comes from `secrets_visible_to`, or belongs to what it is read
    for.
    """
    ciphertext = Secret.objects.values_list("ciphertext", flat=True).get(pk=secret.pk)
    revealed = decrypt(ciphertext, secret.name)
    what = what[: SecretUse.WHAT_LENGTH]
    with transaction.atomic():
        SecretUse.objects.get_or_create(secret=secret, what=what, defaults={"last_at": now})
        SecretUse.objects.filter(secret=secret, what=what).update(use_count=F("use_count") + 1, last_at=now)
        Secret.objects.filter(pk=secret.pk).update(last_used_at=now)
    return revealed


def rotate_secrets() -> int:
    """Encrypt with the first key what another key has encrypted; return how many.

    May be broken off and begun again. A value that is replaced meanwhile stays the new one.
    Raises SecretUnreadableError for the first that no key opens, after all others.
    """
    current = current_key_id()
    count = 0
    failure: SecretUnreadableError | None = None
    for pk, name, before in Secret.objects.exclude(key_id=current).values_list("pk", "name", "ciphertext").iterator():
        try:
            value = decrypt(before, name).reveal()
        except SecretUnreadableError as error:
            failure = failure or error
            continue
        count += Secret.objects.filter(pk=pk, ciphertext=before).update(ciphertext=encrypt(value), key_id=current)
    if failure is not None:
        raise failure
    return count


def _checked(value: str) -> str:
    if not value or len(value) > LONGEST_VALUE or "\0" in value:
        raise InvalidInputError(_("A secret has 1 to %(most)s characters.") % {"most": LONGEST_VALUE})
    return value
