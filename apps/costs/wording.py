"""What a run cost, in as few words as stand in a row."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from apps.core.templatetags.loom import usd
from apps.core.text.escapes import with_visible_bidi

LONGEST_MODEL = 40


def cost_text(cost_usd: Decimal | None, source: str | None, model: str | None) -> str:
    """An amount, or that the model has no price; empty where nobody knows what was used. What is unknown is never 0."""
    if cost_usd is not None:
        return _("up to {usd}").format(usd=usd(cost_usd)) if source == "estimate" else usd(cost_usd)
    if not model:
        return ""
    name = model if len(model) <= LONGEST_MODEL else f"{model[:LONGEST_MODEL]}…"
    return _("no price for {model}").format(model=with_visible_bidi(name))
