"""What an emulator is started with."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

SHIFT = re.compile(r"(?P<name>[a-zA-Z]\w{0,47}(:[a-zA-Z]\w{0,47})?)=(?P<ms>\d{1,6}(\.\d{1,3})?)", re.ASCII)


class EmulatorConfigError(ValueError):
    """A setting of the emulator cannot be used; the message says which one and why."""


@dataclass(frozen=True)
class EmulatorConfig:
    """Settings of one emulator.

    host: a loopback address or "localhost"; anything else raises EmulatorConfigError: signatures are not checked here.
    port: 0 takes a free one. seed: None draws one; the start-up line prints it.
    time_scale multiplies provisioning, dispatch and agent delays; log_delay_scale the ingestion delay of log lines.
    runtimes: real agents to put behind the emulator, "name=http://127.0.0.1:8080, other=cmd:python main.py".
    clock_skew_ms: standard deviation of the difference between an environment's clock and this machine's.
    has_quotas: answer with throttling above the published request rates.
    shifts: milliseconds, scaled, by which a scripted agent or one of its endpoints answers later than its script says,
    "name=150, name:endpoint=20"; both add up.
    """

    host: str = "127.0.0.1"
    port: int = 8770
    seed: int | None = None
    time_scale: float = 1.0
    log_delay_scale: float = 1.0
    runtimes: str = ""
    clock_skew_ms: float = 15.0
    has_quotas: bool = True
    shifts: str = ""

    def __post_init__(self) -> None:
        if not is_loopback(self.host):
            raise EmulatorConfigError(
                f"host {self.host!r} is not a loopback address; the emulator serves this machine only"
            )
        if not 0 <= self.port <= 65535:
            raise EmulatorConfigError(f"port {self.port} is not between 0 and 65535")
        for name in ("time_scale", "log_delay_scale", "clock_skew_ms"):
            if getattr(self, name) < 0:
                raise EmulatorConfigError(f"{name} must not be negative")
        read_shifts(self.shifts)


def read_shifts(text: str) -> dict[str, float]:
    """By how many milliseconds what is named (`name` or `name:endpoint`) answers later; raises EmulatorConfigError."""
    shifts: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        found = SHIFT.fullmatch(item)
        if found is None:
            raise EmulatorConfigError(f"shifts: {item!r} is not name=MILLISECONDS or name:endpoint=MILLISECONDS")
        shifts[found["name"]] = float(found["ms"])
    return shifts


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
