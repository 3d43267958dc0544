from __future__ import annotations

from django.urls import path

from apps.agents import views

urlpatterns = [
    path("csv/", views.agent_list_csv, name="list-csv"),
    path("<int:pk>/", views.agent_detail, name="detail"),
    path("<int:pk>/archive/", views.agent_archive, name="archive"),
]
