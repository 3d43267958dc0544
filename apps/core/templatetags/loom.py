"""Filters and tags that every template may use."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

register = template.Library()

NOTHING = "–"


@register.filter
def duration(value: float | None) -> str:
    """Write a duration given in milliseconds: `0.4 ms`, `840 ms`, `1.24 s`, `2 min 5 s`; a dash for None."""
    if value is None:
        return NOTHING
    if value < 0:
        return f"−{duration(-value)}"
    if value < 10:
        return f"{value:.1f} ms"
    if value < 999.5:
        return f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.2f} s"
    minutes, seconds = divmod(round(value / 1000), 60)
    return f"{minutes} min {seconds} s"


@register.filter
def instant(value: datetime | None) -> SafeString | str:
    """A `<time>` element; live.js shows it in the reader's own zone, without a script it says UTC."""
    if value is None:
        return NOTHING
    utc = localtime(value)
    return format_html('<time datetime="{}">{} UTC</time>', utc.isoformat(timespec="milliseconds"), f"{utc:%Y-%m-%d %H:%M:%S}")
