"""Who may follow which topic. Each app registers the check of its own topics in `ready()`; core knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

# The user is whatever model the project signs in with, which core may not import: hence Any.
AccessCheck = Callable[[Any, str], bool]

_checks: dict[str, AccessCheck] = {}


def register(prefix: str, check: AccessCheck) -> None:
    """Let `check(user, topic)` decide about every topic that begins with `prefix`, e.g. "session:".

    The whole topic is passed on. The check may read the database, so `may_join` is called off the event loop.
    Raises ValueError where the prefix is empty or taken: a second check would silently replace the first.
    """
    if not prefix or prefix in _checks:
        raise ValueError(f"topic prefix {prefix!r} is empty or registered already")
    _checks[prefix] = check


def may_join(user: AbstractBaseUser | AnonymousUser, topic: str) -> bool:
    """Tell whether the user may follow the topic. The longest prefix decides; what nobody registered, nobody joins."""
    prefixes = [prefix for prefix in _checks if topic.startswith(prefix)]
    return bool(prefixes) and _checks[max(prefixes, key=len)](user, topic)
