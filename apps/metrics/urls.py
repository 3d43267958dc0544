from __future__ import annotations

from django.urls import path

from apps.metrics import views

app_name = "metrics"
urlpatterns = [
    path("", views.operate, name="operate"),
    path("sessions/<uuid:public_id>/latency/", views.latency_fragment, name="latency-fragment"),
    path("sessions/<uuid:public_id>/latency/<int:number>/check/", views.latency_check, name="latency-check"),
    path("agents/<int:pk>/figures/", views.agent_figures_fragment, name="agent-figures-fragment"),
]
