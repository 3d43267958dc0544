"""The rules that come with Loom: docs/alerts.md says what they are and why one of them is off."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.utils import timezone

# name, metric, is_change, window_s, warning, alert, min_n, is_enabled
RULES = (
    ("Error rate", "error_rate", False, 300, None, 0.05, 20, True),
    ("Timeouts", "timeout_rate", False, 300, None, 0.01, 20, True),
    ("Broken streams", "broken_rate", False, 300, None, 0.10, 20, True),
    ("Slow answers", "total_p50", False, 300, None, 5000.0, 20, False),
    ("Slower than the version before", "ttft_p50", True, 300, 0.10, 0.25, 20, True),
    ("Fails more than the version before", "error_rate", True, 300, 0.25, 1.0, 20, True),
)


def make_rules(apps: Any, schema_editor: Any) -> None:
    rules = apps.get_model("metrics", "AlertRule")
    now = timezone.now()
    for name, metric, is_change, window_s, warning, alert, min_n, is_enabled in RULES:
        rules.objects.create(
            name=name, metric=metric, is_change=is_change, window_s=window_s, warning=warning, alert=alert,
            min_n=min_n, is_enabled=is_enabled, created_at=now, next_at=now,
        )


def remove_rules(apps: Any, schema_editor: Any) -> None:
    apps.get_model("metrics", "AlertRule").objects.filter(owner=None).delete()


class Migration(migrations.Migration):

    dependencies = [("metrics", "0015_alerts")]

    operations = [migrations.RunPython(make_rules, remove_rules)]
