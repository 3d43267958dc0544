from __future__ import annotations

from django.urls import path

from apps.overview.comparing import sending, views
from apps.overview.targets import views as target_views

app_name = "compare"
urlpatterns = [
    path("", views.compare, name="list"),
    path("targets/", target_views.targets, name="targets"),
    path("targets/csv/", target_views.targets_csv, name="targets-csv"),
    path("new/", sending.compare_new, name="new"),
    path("estimate/", sending.compare_estimate_fragment, name="estimate-fragment"),
    path("chosen/", sending.compare_chosen, name="chosen"),
    path("stop/", sending.compare_stop_runs, name="stop-runs"),
    path("<int:comparison_id>/", views.compare_plan, name="plan"),
    path("<int:comparison_id>/again/", sending.compare_again, name="again"),
    path("<int:comparison_id>/stop/", sending.compare_stop, name="stop"),
]
