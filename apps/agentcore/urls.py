"""Addresses below /agents/ and /sessions/ that only AgentCore's agents have; loom.urls puts them beside the others."""

from __future__ import annotations

from django.urls import path

from apps.agentcore.importing import views as importing_views
from apps.agentcore.logs import run_views
from apps.agentcore.logs import views as logs_views
from apps.agentcore.pages import aws_views, bulk_views, settings_views, views

agent_urlpatterns = [
    path("register/", views.agent_register, name="register"),
    path("bulk/", bulk_views.agent_bulk, name="bulk"),
    path("import/", importing_views.agent_import, name="import"),
    path("import/chosen/", importing_views.agent_import_chosen, name="import-chosen"),
    path("<int:pk>/refresh/", views.agent_refresh, name="refresh"),
    path("<int:pk>/revive/", views.agent_revive, name="revive"),
    path("<int:pk>/settings/", settings_views.agent_settings, name="settings"),
    path("<int:pk>/account/", aws_views.account_fragment, name="account-fragment"),
    path("<int:pk>/versions/", aws_views.agent_versions, name="versions"),
    path("<int:pk>/aws-metrics/", aws_views.aws_metrics_fragment, name="aws-metrics-fragment"),
]
session_urlpatterns = [
    path("logs/<int:agent_pk>/", logs_views.agent_logs, name="agent-logs"),
    path("logs/<int:agent_pk>/download/", logs_views.agent_logs_download, name="agent-logs-download"),
    path("<uuid:public_id>/logs/", logs_views.session_logs, name="logs"),
    path("<uuid:public_id>/logs/run/", run_views.run_log_fragment, name="run-log-fragment"),
    path("<uuid:public_id>/logs/download/", logs_views.session_logs_download, name="logs-download"),
]
