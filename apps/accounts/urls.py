from __future__ import annotations

from django.contrib.auth import views
from django.contrib.auth.decorators import login_not_required
from django.urls import path

from apps.accounts.forms import SignInForm
from apps.accounts.sign_in.limits import limited_sign_in

app_name = "accounts"
urlpatterns = [
    path(
        "login/",
        limited_sign_in(
            views.LoginView.as_view(template_name="accounts/login.html", authentication_form=SignInForm),
        ),
        name="login",
    ),
    # For everybody: who has signed out in another tab meanwhile would be led back here after signing in.
    path("logout/", login_not_required(views.LogoutView.as_view()), name="logout"),
]
