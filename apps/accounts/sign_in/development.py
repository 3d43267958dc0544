"""The development sign-in: with AUTH_DISABLED=1 whoever sits at this machine is `dev@local`, and nobody else.

The start is refused without DEBUG or on a public address (loom.environment). That is not enough: someone may start a
server by hand, put a proxy in front, or point a foreign name at 127.0.0.1. So every request has to prove that it never
left the machine.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.http.request import split_domain_port

from apps.accounts.models import User
from apps.core.network import is_loopback

DEVELOPMENT_EMAIL = "dev@local"
# What proxies and tunnels add; besides these, everything that begins with "x-forwarded" counts.
FORWARDING_HEADERS = frozenset(
    {
        "cf-connecting-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "x-real-ip",
    }
)


def is_local_request(*, client: str | None, server: str | None, headers: Mapping[str, str]) -> bool:
    """Tell whether both ends of the connection, and the name that was asked for, are this machine.

    `client` and `server` are the addresses of the connection, `headers` has lower-case names.
    """
    if any(name in FORWARDING_HEADERS or name.startswith("x-forwarded") for name in headers):
        return False
    domain, _ = split_domain_port(headers.get("host", ""))
    return all(host is not None and is_loopback(host.strip("[]")) for host in (client, server, domain or None))


def needs_no_password(*, client: str | None, server: str | None, headers: Mapping[str, str]) -> bool:
    """Tell whether a request is signed in as the development user. Asks no database."""
    return bool(
        settings.AUTH_DISABLED and settings.DEBUG and is_local_request(client=client, server=server, headers=headers)
    )


def development_user(*, client: str | None, server: str | None, headers: Mapping[str, str]) -> User | None:
    """The development user where the request may be signed in without a password, else None."""
    return development_account() if needs_no_password(client=client, server=server, headers=headers) else None


def development_account() -> User:
    """The account of the development user, made on first use; nobody can sign in to it with a password."""
    defaults = {"password": make_password(None), "is_staff": True, "is_superuser": True}
    user, _ = User.objects.get_or_create(email=DEVELOPMENT_EMAIL, defaults=defaults)
    return user
