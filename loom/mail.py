"""How mail leaves, as one setting says it: `smtp://user:password@host:587?tls=starttls&from=loom@example.com`.

Without Django, as everything that reads the environment. No message repeats a value: there is a password in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

PORTS = {"smtp": 587, "smtps": 465}
_TLS = ("starttls", "none")
_OPTIONS = frozenset({"tls", "from"})


@dataclass(frozen=True, slots=True)
class Mail:
    """The server that takes Loom's mail, and whom it comes from."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    is_tls: bool = False
    is_starttls: bool = False


def mail_url(text: str) -> Mail:
    """Raises ValueError with what is wrong."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:  # its message may repeat a part
        raise ValueError("it is no URL; a sign of a password such as @, / or : is written as %40, %2F or %3A") from None
    if parts.scheme not in PORTS or not host:
        raise ValueError("it begins with smtp:// or smtps:// and names a server")
    if parts.path not in {"", "/"} or parts.fragment or not options.keys() <= _OPTIONS:
        raise ValueError("behind the server stand ?tls= and &from= alone")
    if bool(parts.username) != bool(parts.password):
        raise ValueError("a user has a password, and a password a user")
    sender = options.get("from", "")
    if sender.count("@") != 1 or sender.strip("@") != sender or any(sign.isspace() for sign in sender):
        raise ValueError("&from= has to name the address that mail comes from")
    tls = options.get("tls", "starttls")
    if tls not in _TLS or (parts.scheme == "smtps" and "tls" in options):
        raise ValueError("tls is starttls or none, and goes with smtp:// only")
    is_starttls = parts.scheme == "smtp" and tls == "starttls"
    if parts.username and parts.scheme == "smtp" and not is_starttls and host not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("without TLS a password would be read on the way: use smtps:// or tls=starttls")
    return Mail(
        host=host,
        port=port or PORTS[parts.scheme],
        sender=sender,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_tls=parts.scheme == "smtps",
        is_starttls=is_starttls,
    )
