"""Addresses below /aws-accounts/."""

from __future__ import annotations

from django.urls import path

from apps.agentcore.accounts import views

app_name = "aws_accounts"
urlpatterns = [
    path("", views.account_list, name="list"),
    path("new/", views.account_new, name="new"),
    path("check/", views.account_check_all, name="check-all"),
    path("<int:account_key>/", views.account_detail, name="detail"),
    path("<int:account_key>/check/", views.account_check, name="check"),
    path("<int:account_key>/enable/", views.account_enable, name="enable"),
    path("<int:account_key>/delete/", views.account_delete, name="delete"),
]
