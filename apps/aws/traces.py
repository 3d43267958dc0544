"""The id of a trace, which X-Ray, W3C's traceparent and OpenTelemetry each write in a way of their own."""

from __future__ import annotations

import re

_XRAY = re.compile(r"(?<![0-9A-Za-z])1-([0-9A-Fa-f]{8})-([0-9A-Fa-f]{24})(?![0-9A-Za-z])")
_HEX = re.compile(r"(?<![0-9A-Za-z])([0-9A-Fa-f]{32})(?![0-9A-Za-z])")


def trace_hex(text: str) -> str:
    """The 32 digits of the first trace id in a header or a field, in small letters; "" where it holds none."""
    if found := _XRAY.search(text) or _HEX.search(text):
        digits = "".join(found.groups()).lower()
        return digits if digits.strip("0") else ""
    return ""


def xray_id(text: str) -> str:
    """The same as X-Ray writes it: `1-5759e988-bd862e3fe1be46a994272793`."""
    digits = trace_hex(text)
    return f"1-{digits[:8]}-{digits[8:]}" if digits else ""
