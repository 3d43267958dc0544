from __future__ import annotations

from django.urls import path

from apps.overview import bulk_views, rating_views, views
from apps.overview.agents import aws_views, row_views
from apps.overview.agents import views as agents_views

app_name = "overview"
urlpatterns = [
    path("", views.run_list, name="runs"),
    path("<int:pk>/rating/", rating_views.rating, name="rating"),
    path("csv/", views.run_list_csv, name="runs-csv"),
    path("bulk/", bulk_views.run_bulk, name="bulk"),
    path("views/", views.view_save, name="view-save"),
    path("views/<int:pk>/remove/", views.view_remove, name="view-remove"),
]
# Below /agents/; loom.urls puts them beside the others.
agent_urlpatterns = [
    path("", agents_views.agent_list, name="list"),
    path("csv/", agents_views.agent_list_csv, name="list-csv"),
    path("<int:pk>/star/", row_views.agent_star, name="star"),
    path("<int:pk>/recent/", row_views.agent_recent_fragment, name="recent-fragment"),
    path("first-steps/close/", agents_views.first_steps_close, name="first-steps-close"),
    path("aws/account/", aws_views.aws_account_fragment, name="aws-account-fragment"),
    path("<int:pk>/runs/", views.agent_runs, name="runs"),
    path("<int:pk>/runs/last/", views.agent_last_run, name="last-run"),
    path("aws/permissions/", aws_views.aws_permissions_fragment, name="aws-permissions-fragment"),
]
