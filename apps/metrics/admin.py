"""Measurements and where the reading of each log group stands, to be read."""

from __future__ import annotations

from django.contrib import admin

from apps.core.admin import RecordAdmin
from apps.metrics.models import LogGroupSweep, Measurement


@admin.register(Measurement)
class MeasurementAdmin(RecordAdmin[Measurement]):
    list_display = ["id", "invocation_id", "state", "start_kind", "marker_rank", "high_ms", "tries", "next_at"]
    list_filter = ["state", "start_kind", "marker_rank"]
    search_fields = ["=log_group", "=error_code"]
    deferred_fields = ("error_message",)


@admin.register(LogGroupSweep)
class LogGroupSweepAdmin(RecordAdmin[LogGroupSweep]):
    list_display = ["log_group", "account_id", "region", "started_from_at", "lease_until"]
