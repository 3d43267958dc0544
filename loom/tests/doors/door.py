"""What a knock at an address is to get, by who knocks."""

from __future__ import annotations

from dataclasses import dataclass

# It leads there, or leads back: which is which, tests of the pages know.
GONE_ON = 302

EVERYBODY = ("other", "owner", "staff", "superuser")


@dataclass(frozen=True)
class Door:
    """The method to knock with, the status of those who may, and that of others; `may` are those, owner and staff."""

    method: str
    status: int
    others: int
    body: str = "{}"
    may: tuple[str, ...] = ("owner", "staff", "superuser")


def shared(method: str, status: int) -> Door:
    """For whoever is signed in."""
    return Door(method, status, status)


def owned(method: str, status: int) -> Door:
    """For the owner of the session or series, and for staff."""
    return Door(method, status, 404)


def of_staff(method: str, status: int) -> Door:
    """For staff alone."""
    return Door(method, status, 404, may=("staff", "superuser"))


def private(method: str, status: int) -> Door:
    """For the owner alone."""
    return Door(method, status, 404, may=("owner",))
