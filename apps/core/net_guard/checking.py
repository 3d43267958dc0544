"""Which addresses that a user has typed Loom may call.

Loom stands in a network that the user may not be in: beside its database, its proxy, and on AWS beside the service that
gives out its credentials. So only addresses of the public internet are called, unless `ALLOWED_NETWORKS` says
otherwise. A name is looked up once, and the connection goes to an address that was checked: a name that answers with
something else the next time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInputError

LONGEST_URL = 2000
PORTS = {"http": 80, "https": 443}

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Beside what `ipaddress` itself calls not global, in the words of the newest registries of IANA, whatever this Python
# knows of them.
_NOT_PUBLIC_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
            "168.63.129.16/32",  # a public address at which Azure answers each machine about itself
        ),
    )
)  # fmt: skip
# Public addresses of IPv6 are those of 2000::/3 alone. What stands in the others may be one of IPv4 in disguise: mapped
# (::ffff:0:0/96), translated (NAT64, 64:ff9b::/96 and 64:ff9b:1::/48), or tunnelled (6to4, Teredo), which are within.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48"))
)


class UrlRefusedError(InvalidInputError):
    """Loom does not call this address."""

    code = "url_refused"
    is_retryable = False


class NameUnknownError(UrlRefusedError):
    """The name of an address leads nowhere, at the moment or at all."""

    code = "name_unknown"
    is_retryable = True


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart. `target` is its path and query as they go out; nothing of it is a credential."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"


def parse_url(url: str) -> Target:
    """Take a URL apart without asking anybody. Raises UrlRefusedError with what is wrong; its text repeats nothing of
    it, for there may be a secret in it.
    """
    if len(url) > LONGEST_URL:
        raise UrlRefusedError(_("The address is longer than %(most)s characters.") % {"most": LONGEST_URL})
    if not url.isascii() or any(sign <= " " or sign in '\\"<>^`{|}\x7f' for sign in url):
        raise UrlRefusedError(
            _("The address holds a blank or a sign that no address has."),
            advice=_("Copy it anew; write other letters than those of ASCII as %-escapes, and a name as xn--."),
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UrlRefusedError(_("This is no address."), advice=_("Write it as https://example.com/path.")) from None
    if parts.scheme not in PORTS or not host:
        raise UrlRefusedError(_("An address begins with https:// or http:// and has a name."))
    if "@" in parts.netloc:
        raise UrlRefusedError(
            _("A name or password does not belong into an address: it would stand in logs."),
            advice=_("Store it as a secret instead."),
        )
    if port == 0:
        raise UrlRefusedError(_("There is no port 0."))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or PORTS[parts.scheme], target)


def is_public(address: IPAddress) -> bool:
    """Whether an address is one of the public internet, and nothing of it leads to another in disguise."""
    if isinstance(address, ipaddress.IPv4Address):
        within = any(address in network for network in _NOT_PUBLIC_V4)
        return address.is_global and not address.is_multicast and not within
    if address not in _PUBLIC_V6 or address.scope_id is not None:
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC_V6)


def may_call(address: IPAddress, allowed: Iterable[Network]) -> bool:
    """Whether Loom may connect to this address."""
    return is_public(address) or any(address in network for network in allowed if network.version == address.version)


def addresses_of(target: Target) -> list[str]:
    """Look the name up once and return its addresses, all of which may be called.

    Raises UrlRefusedError where one of them may not be: a name that leads to this machine as well is none to be called.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NameUnknownError(
            _("The name %(host)s leads nowhere.") % {"host": target.host[:100]},
            advice=_("Look for a mistake in the name, or whether this machine can look names up."),
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in addresses:
        if not may_call(ipaddress.ip_address(text), settings.ALLOWED_NETWORKS):
            raise UrlRefusedError(
                _("The address leads into a private or reserved network, to %(address)s.") % {"address": text},
                advice=_("Whoever runs Loom can allow that network in ALLOWED_NETWORKS."),
            )
    return addresses


def check_url(url: str) -> Target:
    """Check a URL that is to be stored and called later; it is checked again whenever it is."""
    target = parse_url(url)
    addresses_of(target)
    return target
