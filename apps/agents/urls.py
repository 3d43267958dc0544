from __future__ import annotations

from django.urls import path

from apps.agents import aws_views, import_views, settings_views, views

app_name = "agents"
urlpatterns = [
    path("", views.agent_list, name="list"),
    path("register/", views.agent_register, name="register"),
    path("import/", import_views.agent_import, name="import"),
    path("import/chosen/", import_views.agent_import_chosen, name="import-chosen"),
    path("<int:pk>/", views.agent_detail, name="detail"),
    path("<int:pk>/refresh/", views.agent_refresh, name="refresh"),
    path("<int:pk>/archive/", views.agent_archive, name="archive"),
    path("<int:pk>/revive/", views.agent_revive, name="revive"),
    path("<int:pk>/settings/", settings_views.agent_settings, name="settings"),
    path("<int:pk>/account/", aws_views.account_fragment, name="account-fragment"),
    path("<int:pk>/versions/", aws_views.versions_fragment, name="versions-fragment"),
    path("<int:pk>/aws-metrics/", aws_views.aws_metrics_fragment, name="aws-metrics-fragment"),
]
