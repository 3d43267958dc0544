from __future__ import annotations

from django.urls import path

from apps.agents import import_views, views

app_name = "agents"
urlpatterns = [
    path("", views.agent_list, name="list"),
    path("register/", views.agent_register, name="register"),
    path("import/", import_views.agent_import, name="import"),
    path("import/chosen/", import_views.agent_import_chosen, name="import-chosen"),
    path("<int:pk>/", views.agent_detail, name="detail"),
    path("<int:pk>/refresh/", views.agent_refresh, name="refresh"),
    path("<int:pk>/remove/", views.agent_remove, name="remove"),
]
