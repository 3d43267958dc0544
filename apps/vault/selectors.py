"""Every read of secrets. None of them reads a value: `services.use_secret` does, for what is named."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.accounts.policy import subject_of, visible
from apps.core.exceptions import MissingError
from apps.vault.models import Secret


def secrets_visible_to(user: User | AnonymousUser) -> QuerySet[Secret]:
    """The secrets that `user` may use, without what they hold."""
    return Secret.objects.filter(visible(subject_of(user), Secret)).defer("ciphertext")


def secret_named(user: User, name: str) -> Secret:
    """The secret that a user calls so. Raises MissingError, in the same words for what is somebody else's."""
    secret = secrets_visible_to(user).filter(name=name).first()
    if secret is None:
        raise MissingError.of("secret", name)
    return secret
