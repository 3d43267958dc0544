from __future__ import annotations

from django.contrib.auth import views
from django.urls import path

from apps.accounts.forms import SignInForm

app_name = "accounts"
urlpatterns = [
    path(
        "login/",
        views.LoginView.as_view(template_name="accounts/login.html", authentication_form=SignInForm),
        name="login",
    ),
    path("logout/", views.LogoutView.as_view(), name="logout"),
]
