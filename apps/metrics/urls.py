from __future__ import annotations

from django.urls import path

from apps.metrics.alerts.pages import alert_views, channel_views, rule_views
from apps.metrics.benches import views as bench_views
from apps.metrics.environments import cold_views, keep_warm_views
from apps.metrics.environments import views as environment_views
from apps.metrics.explaining import replay_views as run_replay_views
from apps.metrics.explaining import views as explaining_views
from apps.metrics.figures.pages import views as figures_views
from apps.metrics.prompt_sets.pages import list_views as set_list_views
from apps.metrics.prompt_sets.pages import replay_views, result_views, set_views
from apps.metrics.series import views as series_views
from apps.metrics.spending import views as spending_views
from apps.metrics.starts import views as starts_views

app_name = "metrics"
urlpatterns = [
    path("", figures_views.operate, name="operate"),
    path("csv/", figures_views.operate_csv, name="operate-csv"),
    path("drawings/", figures_views.operate_drawings_fragment, name="operate-drawings-fragment"),
    path("live/", figures_views.operate_live_fragment, name="operate-live-fragment"),
    path("environments/", environment_views.environments, name="environments"),
    path("environments/csv/", environment_views.environments_csv, name="environments-csv"),
    path("environments/end/", environment_views.environments_end, name="environments-end"),
    path("cold-starts/", cold_views.cold_starts, name="cold-starts"),
    path("cold-starts/csv/", cold_views.cold_starts_csv, name="cold-starts-csv"),
    path("sessions/<uuid:public_id>/latency/", starts_views.latency_fragment, name="latency-fragment"),
    path("sessions/<uuid:public_id>/latency/<int:number>/check/", starts_views.latency_check, name="latency-check"),
    path(
        "agents/<int:pk>/start-series/estimate/",
        series_views.start_series_estimate_fragment,
        name="start-series-estimate-fragment",
    ),
    path("agents/<int:pk>/start-series/start/", series_views.start_series_start, name="start-series-start"),
    path("start-series/<int:pk>/", series_views.start_series, name="start-series"),
    path(
        "start-series/<int:pk>/progress/",
        series_views.start_series_progress_fragment,
        name="start-series-progress-fragment",
    ),
    path("start-series/<int:pk>/cancel/", series_views.start_series_cancel, name="start-series-cancel"),
    path("agents/<int:pk>/figures/", figures_views.agent_figures_fragment, name="agent-figures-fragment"),
]
# Below /sessions/; loom.urls puts them beside the others.
session_urlpatterns = [
    path("<uuid:public_id>/timeline/<int:number>/", explaining_views.timeline, name="timeline"),
    path("<uuid:public_id>/replay/<int:number>/", run_replay_views.replay, name="replay"),
    path("<uuid:public_id>/replay/<int:number>/film/", run_replay_views.replay_film, name="replay-film"),
    path("<uuid:public_id>/expectation/<int:number>/", explaining_views.expectation, name="expectation"),
]
# Of the namespace of prompt sets.
prompt_set_urlpatterns = [
    path("", set_list_views.set_list, name="list"),
    path("new/", set_list_views.set_new, name="new"),
    path("from-runs/", set_list_views.set_from_runs, name="from-runs"),
    path("from-sessions/<uuid:public_id>/", set_list_views.set_from_session, name="from-session"),
    path("<int:set_id>/", set_views.set_detail, name="detail"),
    path("<int:set_id>/rename/", set_list_views.set_rename, name="rename"),
    path("<int:set_id>/delete/", set_list_views.set_delete, name="delete"),
    path("<int:set_id>/csv/", set_list_views.set_csv, name="csv"),
    path("<int:set_id>/jsonl/", set_list_views.set_jsonl, name="jsonl"),
    path("<int:set_id>/prompts/new/", set_views.prompt_new, name="prompt-new"),
    path("<int:set_id>/prompts/<int:item_id>/", set_views.prompt_edit, name="prompt"),
    path("<int:set_id>/prompts/<int:item_id>/remove/", set_views.prompt_remove, name="prompt-remove"),
    path("<int:set_id>/prompts/<int:item_id>/move/", set_views.prompt_move, name="prompt-move"),
    path("<int:set_id>/replay/", replay_views.set_replay, name="replay"),
    path("<int:set_id>/replay/estimate/", replay_views.estimate_fragment, name="estimate-fragment"),
    path("<int:set_id>/results/<int:plan_id>/", result_views.results, name="results"),
    path("<int:set_id>/results/<int:plan_id>/progress/", result_views.results_fragment, name="results-fragment"),
    path("<int:set_id>/results/<int:plan_id>/csv/", result_views.results_csv, name="results-csv"),
    path("<int:set_id>/results/<int:plan_id>/prompts/<int:number>/", result_views.compare, name="compare"),
    path("<int:set_id>/results/<int:plan_id>/stop/", replay_views.plan_stop, name="stop"),
]
# Latency benches, a tab of Overview with a namespace of its own.
bench_urlpatterns = [
    path("", bench_views.bench_list, name="list"),
    path("new/", bench_views.bench_new, name="new"),
    path("estimate/", bench_views.estimate_fragment, name="estimate-fragment"),
    path("<int:bench_id>/", bench_views.bench_detail, name="detail"),
    path("<int:bench_id>/progress/", bench_views.bench_progress_fragment, name="progress-fragment"),
    path("<int:bench_id>/csv/", bench_views.bench_csv, name="csv"),
    path("<int:bench_id>/stop/", bench_views.bench_stop, name="stop"),
]
# What runs cost, a tab of Overview with a namespace of its own.
cost_urlpatterns = [
    path("", spending_views.costs, name="list"),
    path("csv/", spending_views.costs_csv, name="csv"),
    path("budgets/new/", spending_views.budget_new, name="budget-new"),
    path("budgets/<int:budget_id>/", spending_views.budget_edit, name="budget"),
    path("budgets/<int:budget_id>/delete/", spending_views.budget_delete, name="budget-delete"),
]
# Of the namespace of alerts.
alert_urlpatterns = [
    path("", alert_views.alert_list, name="list"),
    path("<int:pk>/", alert_views.alert_detail, name="detail"),
    path("<int:pk>/act/", alert_views.alert_act, name="act"),
    path("rules/", rule_views.rule_list, name="rules"),
    path("rules/new/", rule_views.rule_new, name="rule-new"),
    path("rules/<int:rule_id>/", rule_views.rule_detail, name="rule"),
    path("rules/<int:rule_id>/delete/", rule_views.rule_delete, name="rule-delete"),
    path("rules/<int:rule_id>/test/", rule_views.rule_test, name="rule-test"),
    path("channels/", channel_views.channel_list, name="channels"),
    path("channels/<int:channel_id>/delete/", channel_views.channel_delete, name="channel-delete"),
    path("undelivered/", alert_views.notice_list, name="notices"),
    path("undelivered/<int:notice_id>/resend/", alert_views.notice_resend, name="notice-resend"),
]
# Below /agents/.
agent_urlpatterns = [
    path("<int:pk>/measure/", series_views.agent_measure, name="measure"),
    path("<int:pk>/keep-warm/", keep_warm_views.keep_warm, name="keep-warm"),
]
