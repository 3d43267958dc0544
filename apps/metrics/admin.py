"""Measurements, what is added up of them, and where the reading of each log group stands, to be read."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone

from apps.core.admin import RecordAdmin, service_action
from apps.metrics.alerts.services import try_channels
from apps.metrics.alerts.telling.delivering import resend
from apps.metrics.models import (
    AgentTrace,
    AgentWeek,
    AgentWeeksMade,
    Alert,
    AlertChange,
    AlertChannel,
    AlertNotice,
    AlertRule,
    AlertRuleChannel,
    Bench,
    CostDay,
    CostsSettled,
    FigurePeriod,
    FigureSum,
    LogGroupSweep,
    Measurement,
    MetricExport,
    Plan,
    PlanPrompt,
    PlanRun,
    PlanTarget,
    PromptSet,
    PromptSetItem,
    StartSeries,
    StartSeriesRun,
)
from apps.metrics.series.plans import cancel_plan
from apps.metrics.series.services import cancel_series


@admin.register(Measurement)
class MeasurementAdmin(RecordAdmin[Measurement]):
    list_display = ["id", "invocation_id", "state", "start_kind", "marker_rank", "high_ms", "tries", "next_at"]
    list_filter = ["state", "start_kind", "marker_rank"]
    search_fields = ["=log_group", "=error_code"]
    deferred_fields = ("error_message",)


@admin.register(AgentTrace)
class AgentTraceAdmin(RecordAdmin[AgentTrace]):
    list_display = ["id", "invocation_id", "state", "trace_id", "log_group", "tries", "next_at"]
    list_filter = ["state"]
    search_fields = ["=trace_id", "=error_code"]
    deferred_fields = ("spans",)


@admin.register(LogGroupSweep)
class LogGroupSweepAdmin(RecordAdmin[LogGroupSweep]):
    list_display = ["log_group", "account_id", "region", "started_from_at", "lease_until"]


@admin.register(FigurePeriod)
class FigurePeriodAdmin(RecordAdmin[FigurePeriod]):
    list_display = ["start_at", "length", "origin", "invocation_count"]
    list_filter = ["length", "origin"]
    deferred_fields = (
        "groups", "totals", "conversation_groups", "conversation_totals", "measured_groups", "measured_totals",
        "counts", "count_totals",
    )  # fmt: skip
    ordering = ["-start_at"]


@admin.register(FigureSum)
class FigureSumAdmin(RecordAdmin[FigureSum]):
    list_display = ["start_at", "length", "origin", "agent", "invocation_count"]
    list_select_related = ["agent"]
    list_filter = ["length", "origin"]
    deferred_fields = ("tallies", "counts", "hours", "agents", "seen")
    ordering = ["-start_at", "-id"]


@admin.register(StartSeries)
class StartSeriesAdmin(RecordAdmin[StartSeries]):
    list_display = ["id", "agent", "owner", "state", "count", "created_at", "finished_at"]
    list_select_related = ["agent", "owner"]
    list_filter = ["state"]
    search_fields = ["agent__name", "owner__email"]
    deferred_fields = ("prompt", "message")
    actions = ["cancel"]

    # The session that is under way is finished first; what was measured stays.
    cancel = service_action(
        StartSeries,
        "Cancel the selected start series",
        lambda series: cancel_series(series=series),
        among=lambda chosen: chosen.filter(state__in=StartSeries.ACTIVE, cancel_requested_at=None),
        done="asked to end",
    )


@admin.register(StartSeriesRun)
class StartSeriesRunAdmin(RecordAdmin[StartSeriesRun]):
    list_display = ["id", "series_id", "position", "invocation_id", "is_warm"]


@admin.register(PromptSet)
class PromptSetAdmin(RecordAdmin[PromptSet]):
    list_display = ["name", "owner", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__email"]


@admin.register(PromptSetItem)
class PromptSetItemAdmin(RecordAdmin[PromptSetItem]):
    list_display = ["id", "prompt_set_id", "position"]
    deferred_fields = ("prompt", "checks")


@admin.register(Plan)
class PlanAdmin(RecordAdmin[Plan]):
    list_display = ["id", "name", "source", "owner", "state", "created_at", "finished_at"]
    list_select_related = ["owner"]
    list_filter = ["state", "source"]
    search_fields = ["name", "owner__email"]
    deferred_fields = ("message",)
    actions = ["cancel"]

    cancel = service_action(
        Plan,
        "Cancel the selected plans",
        lambda plan: cancel_plan(plan=plan),
        among=lambda chosen: chosen.filter(state=Plan.State.RUNNING, cancel_requested_at=None),
        done="asked to end",
    )


@admin.register(Bench)
class BenchAdmin(RecordAdmin[Bench]):
    list_display = ["plan_id", "metric", "start", "rungs", "pair_count", "stops_early"]
    list_filter = ["metric", "start"]
    search_fields = ["plan__name", "plan__owner__email"]


@admin.register(PlanTarget)
class PlanTargetAdmin(RecordAdmin[PlanTarget]):
    list_display = ["id", "plan_id", "position", "agent", "qualifier"]
    list_select_related = ["agent"]


@admin.register(PlanPrompt)
class PlanPromptAdmin(RecordAdmin[PlanPrompt]):
    list_display = ["id", "plan_id", "position"]
    deferred_fields = ("text", "checks")


@admin.register(PlanRun)
class PlanRunAdmin(RecordAdmin[PlanRun]):
    list_display = ["id", "plan_id", "place", "invocation_id", "has_passed"]
    list_filter = ["has_passed"]
    deferred_fields = ("findings",)


@admin.register(MetricExport)
class MetricExportAdmin(RecordAdmin[MetricExport]):
    list_display = ["id", "sent_until"]


@admin.register(CostDay)
class CostDayAdmin(RecordAdmin[CostDay]):
    list_display = ["day", "agent", "owner", "source", "run_count", "unknown_count", "cost_micros"]
    list_select_related = ["agent", "owner"]
    list_filter = ["source"]


@admin.register(AgentWeek)
class AgentWeekAdmin(RecordAdmin[AgentWeek]):
    list_display = ["agent", "run_count", "error_rate", "ttft_cold_ms", "ttft_warm_ms", "startup_ms", "cost_micros"]
    list_select_related = ["agent"]
    search_fields = ["agent__name"]
    deferred_fields = ("details",)


@admin.register(AgentWeeksMade)
class AgentWeeksMadeAdmin(RecordAdmin[AgentWeeksMade]):
    list_display = ["id", "made_at", "took_ms", "seen"]


@admin.register(CostsSettled)
class CostsSettledAdmin(RecordAdmin[CostsSettled]):
    list_display = ["id", "since", "until"]


@admin.register(AlertRule)
class AlertRuleAdmin(RecordAdmin[AlertRule]):
    list_display = ["name", "owner", "metric", "agent", "is_enabled", "next_at", "evaluated_at"]
    list_select_related = ["owner", "agent"]
    list_filter = ["is_enabled", "is_change"]
    search_fields = ["name", "owner__email"]
    actions = [
        service_action(
            AlertRule, "Send a test to the channels", lambda rule: try_channels(rule=rule),
            among=lambda rows: rows, done="tried",
        )
    ]  # fmt: skip


@admin.register(AlertChannel)
class AlertChannelAdmin(RecordAdmin[AlertChannel]):
    """Without the address: of a webhook that may be all it takes to write there."""

    list_display = ["name", "kind", "owner", "created_at"]
    list_select_related = ["owner"]
    list_filter = ["kind"]
    search_fields = ["name", "owner__email"]
    exclude = ["address"]


@admin.register(AlertRuleChannel)
class AlertRuleChannelAdmin(RecordAdmin[AlertRuleChannel]):
    list_display = ["rule", "channel"]
    list_select_related = ["rule", "channel"]


@admin.register(Alert)
class AlertAdmin(RecordAdmin[Alert]):
    list_display = ["id", "rule", "agent", "state", "level", "value", "n", "opened_at", "resolved_at"]
    list_select_related = ["rule", "agent"]
    list_filter = ["state", "level"]
    search_fields = ["rule__name", "agent__name"]


@admin.register(AlertChange)
class AlertChangeAdmin(RecordAdmin[AlertChange]):
    list_display = ["id", "alert_id", "number", "state", "level", "by", "at"]
    list_select_related = ["by"]
    list_filter = ["state"]
    search_fields = ["=alert__id"]


@admin.register(AlertNotice)
class AlertNoticeAdmin(RecordAdmin[AlertNotice]):
    list_display = ["id", "rule", "channel", "state", "tries", "next_at", "http_status", "created_at"]
    list_select_related = ["rule", "channel"]
    list_filter = ["state"]
    search_fields = ["channel__name", "rule__name"]
    actions = [
        service_action(
            AlertNotice, "Send again", lambda notice: resend(notice=notice, now=timezone.now()),
            among=lambda rows: rows.filter(state="dead"), done="sent again",
        )
    ]  # fmt: skip
