from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from apps.accounts.sign_in.limits import limited_sign_in
from apps.agentcore import urls as agentcore
from apps.agents import urls as agents
from apps.awsverify import urls as awsverify
from apps.core.running.health import healthz, readyz
from apps.metrics import urls as metrics
from apps.metrics.exporting.views import prometheus
from apps.overview import urls as overview
from apps.sessions import urls as sessions
from apps.takeout import urls as takeout
from loom.api import api
from loom.web.design import design
from loom.web.palette import palette_fragment, palette_results_fragment

admin.autodiscover()  # only who serves addresses needs it
administration: Any = admin.site
administration.login = limited_sign_in(administration.login)
api_urls: Any = api.urls
admin_urls: Any = admin.site.urls
# What asks for a sign-in itself: every operation of the API, which also takes a token and refuses in JSON, and signing
# out of the administration, to which nobody is to be led back after signing in.
for pattern in (*api_urls[0], *(found for found in admin_urls[0] if getattr(found, "name", "") == "logout")):
    login_not_required(pattern.callback)

to_api_docs = login_not_required(require_safe(RedirectView.as_view(pattern_name="api:openapi-view")))

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="agents:list"), name="home"),
    path("accounts/", include("apps.accounts.urls")),
    # One namespace for a noun, whichever app shows a page of it.
    path(
        "agents/",
        include(
            (
                [
                    *overview.agent_urlpatterns,
                    *agents.urlpatterns,
                    *agentcore.agent_urlpatterns,
                    *sessions.agent_urlpatterns,
                    *metrics.agent_urlpatterns,
                ],
                "agents",
            )
        ),
    ),
    path(
        "sessions/",
        include(
            (
                [
                    *sessions.urlpatterns,
                    *agentcore.session_urlpatterns,
                    *awsverify.session_urlpatterns,
                    *metrics.session_urlpatterns,
                    *takeout.session_urlpatterns,
                ],
                "sessions",
            )
        ),
    ),
    path("runs/", include("apps.overview.urls")),
    path("prompt-sets/", include((metrics.prompt_set_urlpatterns, "prompt_sets"))),
    path("alerts/", include((metrics.alert_urlpatterns, "alerts"))),
    path("compare/", include("apps.overview.comparing.urls")),
    path("operate/", include("apps.metrics.urls")),
    path("bench/", include((metrics.bench_urlpatterns, "bench"))),
    path("costs/", include((metrics.cost_urlpatterns, "costs"))),
    path("aws-accounts/", include("apps.agentcore.accounts.urls")),
    path("palette/", palette_fragment, name="palette-fragment"),
    path("palette/results/", palette_results_fragment, name="palette-results-fragment"),
    path("design/", design, name="design"),
    path("", include("apps.takeout.urls")),
    # Whoever types the beginning of the API's addresses is led to what describes it.
    path("api", to_api_docs, name="api-home"),
    path("api/", to_api_docs, name="api-root"),
    path("api/", api_urls),
    path("admin/", admin_urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", prometheus, name="metrics"),
]
