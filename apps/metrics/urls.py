from __future__ import annotations

from django.urls import path

from apps.metrics.explaining import views as explaining_views
from apps.metrics.figures.pages import agent_list_views
from apps.metrics.figures.pages import views as figures_views
from apps.metrics.series import views as series_views
from apps.metrics.starts import views as starts_views

app_name = "metrics"
urlpatterns = [
    path("", figures_views.operate, name="operate"),
    path("csv/", figures_views.operate_csv, name="operate-csv"),
    path("sessions/<uuid:public_id>/latency/", starts_views.latency_fragment, name="latency-fragment"),
    path("sessions/<uuid:public_id>/latency/<int:number>/check/", starts_views.latency_check, name="latency-check"),
    path(
        "agents/figures/",
        agent_list_views.agent_list_figures_fragment,
        name="agent-list-figures-fragment",
    ),
    path("agents/<int:pk>/start-series/", series_views.start_series_fragment, name="start-series-fragment"),
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
    path("<uuid:public_id>/expectation/<int:number>/", explaining_views.expectation, name="expectation"),
]
