from __future__ import annotations

from django.urls import path

from apps.overview import rating_views, views

app_name = "overview"
urlpatterns = [
    path("", views.run_list, name="runs"),
    path("<int:pk>/rating/", rating_views.rating, name="rating"),
    path("views/", views.view_save, name="view-save"),
    path("views/<int:pk>/remove/", views.view_remove, name="view-remove"),
]
