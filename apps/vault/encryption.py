"""Values as the database holds them: encrypted and signed by Fernet (AES-128-CBC, HMAC-SHA256), with the first of
`SECRET_ENCRYPTION_KEYS`; read with any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.utils.translation import gettext as _

from apps.core.exceptions import LoomError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

HOW_TO = "Put what `manage.py rotate_secrets --new-key` prints into etc/environment.sh as SECRET_ENCRYPTION_KEYS."


class VaultClosedError(LoomError):
    """No key is set, so nothing can be stored or read."""

    code = "vault_closed"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    is_retryable = False

    def __init__(self) -> None:
        super().__init__(_("Loom has no key to encrypt secrets with."), advice=HOW_TO)


class SecretUnreadableError(LoomError):
    """The key that encrypted it is gone, or its row was changed."""

    code = "secret_unreadable"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    is_retryable = False


class Revealed:
    """A value on its way to where it is needed. It shows itself to whoever asks by `reveal`, and in no log, error,
    template or task.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        return self.__value

    def __repr__(self) -> str:
        return "•••"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not stored or sent as it is")


def key_id(key: str) -> str:
    """What a key is known by, which tells nothing of it."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def current_key_id() -> str:
    """That of the key which encrypts. Raises VaultClosedError."""
    return key_id(_keys()[0])


def encrypt(value: str) -> str:
    return _fernet().encrypt(value.encode()).decode()


def decrypt(ciphertext: str, name: str) -> Revealed:
    """Raises SecretUnreadableError, with the secret's name."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 -- only where a secret is read

    try:
        return Revealed(_fernet().decrypt(ciphertext.encode()).decode())
    except InvalidToken:
        raise SecretUnreadableError(
            _("The secret %(name)s cannot be read.") % {"name": name},
            advice=_("Put the key that encrypted it back into SECRET_ENCRYPTION_KEYS, or store the value anew."),
        ) from None


def new_key() -> str:
    from cryptography.fernet import Fernet  # noqa: PLC0415 -- only where a key is made

    return Fernet.generate_key().decode()


def check_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Say that the vault is closed; no fault as long as nobody wants to store anything."""
    if settings.SECRET_ENCRYPTION_KEYS:
        return []
    return [checks.Info("No key is set to encrypt secrets with.", hint=HOW_TO, id="vault.I001")]


def _keys() -> tuple[str, ...]:
    keys: tuple[str, ...] = settings.SECRET_ENCRYPTION_KEYS
    if not keys:
        raise VaultClosedError
    return keys


def _fernet() -> MultiFernet:
    # A library of C that no page needs.
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 -- only where a secret is read

    return MultiFernet([Fernet(key) for key in _keys()])
