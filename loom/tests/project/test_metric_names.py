"""The metrics that Loom tells are those that its documentation names: people build dashboards on them."""

from __future__ import annotations

import re
from importlib import import_module

from django.conf import settings

from apps.core.running import telemetry
from apps.metrics.exporting.readings import READINGS


def test_every_metric_is_documented_and_every_documented_one_is_told() -> None:
    import_module("loom.asgi")  # what a web process counts of requests
    told = {family.name for family in telemetry.families.values()} | {reading.name for reading in READINGS}
    told |= {"loom_check", "loom_process_silent_seconds"}
    text = (settings.BASE_DIR / "docs/operations.md").read_text(encoding="utf-8")
    section = text[text.index("## Metrics\n") : text.index("## Metrics in CloudWatch")]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    named = {
        re.sub(r"_total$", "", name)
        for row in rows
        for name in re.findall(r"`((?:loom|process)_[a-z_]+)", row.split("|")[1])
    }

    assert {name for name in told if not name.startswith("test_")} == named
