"""How the text of one setting is read. A reader returns the value, or raises ValueError with what is wrong in words.

Standard library alone: every command reads the environment first, and a library of schemas would be a quarter of what
it costs to start. No message repeats a value: it may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from urllib.parse import urlsplit

Value = TypeVar("Value")
Reader = Callable[[str], Value]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# 32 bytes as Fernet takes them: 43 signs of URL-safe base 64 and one that fills up.
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")

_SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("0", "false", "no", "off", "f", "n"), False),
}


def switch(text: str) -> bool:
    """1 or 0, or their words."""
    try:
        return _SWITCH[text.strip().lower()]
    except KeyError:
        raise ValueError("it is 1 or 0") from None


def one_of(*choices: str, any_case: bool = False) -> Reader[str]:
    """One of some words."""

    def read(text: str) -> str:
        found = text.lower() if any_case else text
        if found not in choices:
            raise ValueError(f"it is {_listed(choices)}")
        return found

    return read


def whole_number(least: int, most: int | None = None) -> Reader[int]:
    """A whole number within limits, both of them allowed."""

    def read(text: str) -> int:
        range_of_it = f"of {least} or more" if most is None else f"from {least} to {most}"
        wrong = ValueError(f"it is a whole number {range_of_it}")
        if not text.strip().lstrip("+-").isascii():
            raise wrong
        try:
            number = int(text)
        except ValueError:
            raise wrong from None
        if number < least or (most is not None and number > most):
            raise wrong
        return number

    return read


def amount(text: str) -> Decimal:
    """A sum of money, never below nothing."""
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or found < 0:
        raise ValueError("it is a number of 0 or more")
    return found


def words(text: str) -> tuple[str, ...]:
    """Names by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def keys(text: str) -> tuple[str, ...]:
    """Keys that secrets are encrypted with, the newest first."""
    found = words(text)
    if not all(_KEY.fullmatch(key) for key in found):
        raise ValueError("each key has 44 characters of URL-safe base 64")
    return found


def networks(text: str) -> tuple[Network, ...]:
    """Networks of IPv4 and IPv6."""
    try:
        return tuple(ipaddress.ip_network(part) for part in words(text))
    except ValueError:
        raise ValueError("they are networks in CIDR form, with no bit set behind the length, by commas") from None


def options(text: str) -> str:
    """A command line's options; a quotation that is left open is none."""
    shlex.split(text)
    return text


def long_enough(length: int) -> Reader[str]:
    def read(text: str) -> str:
        if len(text) < length:
            raise ValueError(f"it has at least {length} characters")
        return text

    return read


def url(*schemes: str, said: tuple[str, ...] = ()) -> Reader[str]:
    """A URL of one of some schemes; `said` are those that a refusal names."""

    def read(text: str) -> str:
        try:
            scheme = urlsplit(text).scheme
        except ValueError:  # its message may repeat a part, and there are passwords in them
            raise ValueError("it is no URL") from None
        if scheme not in schemes:
            raise ValueError(f"the scheme must be {_listed(said or schemes)}")
        return text

    return read


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
