from __future__ import annotations

from django.urls import path

from apps.takeout.pages import evidence_views, shared_views, views

# Of the namespace of sessions.
session_urlpatterns = [
    path("<uuid:public_id>/take-out/", views.take_out, name="take-out"),
    path("<uuid:public_id>/take-out/links/<int:link_id>/revoke/", views.link_revoke, name="link-revoke"),
    path("<uuid:public_id>/export/", views.session_export, name="export"),
    path("<uuid:public_id>/runs/<int:number>/export/", views.run_export, name="run-export"),
]

app_name = "takeout"
urlpatterns = [
    path("evidence/", evidence_views.evidence, name="evidence"),
    path("shared/<str:token>/", shared_views.shared, name="shared"),
]
