"""Addresses below /sessions/; loom.urls puts them beside the others."""

from __future__ import annotations

from django.urls import path

from apps.awsverify.doctor import views

session_urlpatterns = [
    path("logs/<int:agent_pk>/doctor/", views.agent_log_doctor, name="agent-log-doctor"),
    path("<uuid:public_id>/logs/doctor/", views.session_log_doctor, name="log-doctor"),
]
