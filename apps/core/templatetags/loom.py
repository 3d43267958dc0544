"""Filters and tags that every template may use."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal
from zlib import crc32

from django import template
from django.conf import settings
from django.forms import BoundField
from django.template.defaultfilters import stringfilter
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from lucide.templatetags.lucide import lucide

from apps.core.text.escapes import with_visible_bidi

register = template.Library()

NOTHING = "–"
HUES = 5
_SEAMS = re.compile(r"(?<=[_./-])(?=[^_./-])|(?<=[a-z0-9])(?=[A-Z][a-z])")

_TONES = {
    "ready": "ok",
    "completed": "ok",
    "measured": "ok",
    "done": "ok",
    "creating": "info",
    "updating": "info",
    "pending": "info",
    "waiting": "warn",
    "streaming": "info",
    "queued": "info",
    "running": "info",
    "interrupted": "warn",
    "degraded": "warn",
    "failed": "bad",
}


@register.filter
def duration(value: float | Literal[""] | None) -> str:
    """Write a duration given in milliseconds: `0 ms`, `0.4 ms`, `840 ms`, `1.24 s`, `2 min 5 s`; a dash for None.

    Templates give an empty string for a figure that an object does not have; that is a dash as well.
    """
    if value is None or value == "":
        return NOTHING
    if value < 0:
        return f"−{duration(-value)}"
    if 0 < value < 10:
        return f"{value:.1f} ms"
    if value < 999.5:
        return f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.2f} s"
    minutes, seconds = divmod(round(value / 1000), 60)
    return f"{minutes} min {seconds} s"


@register.filter
def span(value: int | None) -> str:
    """Write a configured length of time, given in milliseconds, in its largest whole unit: `8 h`, `15 min`, `90 s`."""
    if value is None:
        return NOTHING
    for unit_ms, unit in ((3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if value and value % unit_ms == 0:
            return f"{value // unit_ms} {unit}"
    return f"{value} ms"


@register.filter
def usd(value: Decimal | Literal[""] | None) -> str:
    """Write an amount of US dollars with as many digits as it needs: `$0.000142`, `$1.20`; a dash for None."""
    if value is None or value == "":
        return NOTHING
    whole, _, rest = f"{value:f}".partition(".")
    return f"${int(whole):,}.{rest.rstrip('0'):0<2}"


def _time(value: datetime | None, element: str) -> SafeString | str:
    """`element` with the instant for machines and for readers; a dash for None."""
    if value is None:
        return NOTHING
    utc = localtime(value)
    return format_html(element, utc.isoformat(timespec="milliseconds"), f"{utc:%Y-%m-%d %H:%M:%S}")


@register.filter
def instant(value: datetime | None) -> SafeString | str:
    """A `<time>` element; page.js shows it in the reader's own zone, without a script it says UTC."""
    return _time(value, '<time datetime="{}">{} UTC</time>')


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """A `<time>` element for lists; page.js writes how long ago it was, and the instant itself into the title."""
    return _time(value, '<time datetime="{}" data-ago>{} UTC</time>')


@register.filter
def left(value: datetime | None) -> SafeString | str:
    """A `<time>` element; countdown.js writes how long it is until then, and the instant itself into the title."""
    return _time(value, '<time datetime="{}" data-left>until {} UTC</time>')


@register.filter
def precise(value: datetime) -> SafeString:
    """A `<time>` element with milliseconds; page.js shows it in the reader's own zone."""
    utc = localtime(value)
    machine = utc.isoformat(timespec="milliseconds")
    return format_html('<time datetime="{}" data-precise>{}</time>', machine, machine[11:23])


@register.filter
def tone(status: str) -> str:
    """The colour that a status is shown in: ok, info, warn, bad or neutral. Knows AWS's words and Loom's."""
    word = status.lower()
    return "bad" if word.endswith("_failed") else _TONES.get(word, "neutral")


@register.filter
def words(status: str) -> str:
    """A status as a reader would write it: `CREATE_FAILED` becomes `Create failed`."""
    return status.replace("_", " ").capitalize()


@register.filter
def short(identifier: str) -> str:
    """The two ends of a long identifier, `3f2a9c1e…77d0`; one of up to 16 characters as it is."""
    return identifier if len(identifier) <= 16 else f"{identifier[:8]}…{identifier[-4:]}"


@register.filter(is_safe=True)
@stringfilter
def visible(text: str) -> str:
    """Somebody's text on one line, with marks for the controls that would turn around what stands behind them."""
    return with_visible_bidi(text)


@register.filter
def breakable(name: str) -> SafeString:
    """A long name that breaks where its words end: behind `_`, `-`, `.` and `/`, and before a capital."""
    return mark_safe("<wbr>".join(escape(word) for word in _SEAMS.split(visible(name))))  # noqa: S308 -- escaped


@register.filter
def hue(name: str) -> int:
    """One of the colours of the figures, 1 to 5, the same for a name everywhere."""
    return crc32(name.encode()) % HUES + 1


@register.filter
def control(field: BoundField, refusal_id: str = "") -> SafeString:
    """A form's control. The first one that was refused gets the focus; `refusal_id` names what refuses them all."""
    refused = [name for name in field.form.fields if name in field.form.errors]
    is_refused_by_all = bool(refusal_id and field.form.non_field_errors())
    attributes: dict[str, str | bool] = {}
    if is_refused_by_all:
        attributes |= {"aria-invalid": "true", "aria-describedby": refusal_id}
    first = next(iter(field.form.fields)) if is_refused_by_all else next(iter(refused), None)
    if field.name == first:
        attributes["autofocus"] = True
    return field.as_widget(attrs=attributes)


@lru_cache(maxsize=256)
def _svg(name: str, size: int) -> SafeString:
    svg = lucide(name, size=size, stroke_width="1.75", aria_hidden="true", focusable="false")
    return mark_safe(svg)  # noqa: S308 -- drawn by the icon package from its own file; nothing of a user is in it


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """An outline icon, `size` pixels square; screen readers skip it, its meaning stands beside it or in a label."""
    return _svg(str(name), int(size))


@register.simple_tag
def is_emulator() -> bool:
    """Whether this installation talks to the emulator; works without a request, as in fragments sent over a socket."""
    return bool(settings.LOOM_AWS == "emulator")
