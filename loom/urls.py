from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from apps.agentcore import urls as agentcore
from apps.agents import urls as agents
from apps.core.health import healthz, readyz
from apps.sessions import urls as sessions
from loom.api import api

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="agents:list"), name="home"),
    path("accounts/", include("apps.accounts.urls")),
    # One namespace for a noun, whichever app shows a page of it.
    path("agents/", include(([*agents.urlpatterns, *agentcore.agent_urlpatterns], "agents"))),
    path("sessions/", include(([*sessions.urlpatterns, *agentcore.session_urlpatterns], "sessions"))),
    path("operate/", include("apps.metrics.urls")),
    path("api/", api.urls),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
