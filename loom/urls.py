from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from apps.core.health import healthz, readyz
from loom.api import api

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="agents:list"), name="home"),
    path("accounts/", include("apps.accounts.urls")),
    path("agents/", include("apps.agents.urls")),
    path("sessions/", include("apps.sessions.urls")),
    path("operate/", include("apps.metrics.urls")),
    path("api/", api.urls),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
