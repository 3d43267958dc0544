from __future__ import annotations

from django.urls import path

from apps.agents import views

urlpatterns = [
    path("<int:pk>/", views.agent_detail, name="detail"),
    path("<int:pk>/archive/", views.agent_archive, name="archive"),
]
