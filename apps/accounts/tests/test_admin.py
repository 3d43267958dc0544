from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import path, reverse

from apps.accounts.models import User
from apps.accounts.services import create_token

admin.autodiscover()
urlpatterns = [path("admin/", admin.site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

ADDED = {
    "email": "Carol@Example.com",
    "usable_password": "true",
    "password1": "long enough 1",
    "password2": "long enough 1",
}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("alice@example.com"))
    return client


def test_a_user_is_added_by_address_and_password(staff: Client) -> None:
    response = staff.post(reverse("admin:accounts_user_add"), ADDED)

    carol = User.objects.get(email="carol@example.com")
    assert response.status_code == 302
    assert carol.check_password("long enough 1")


def test_an_address_is_taken_whatever_its_case(staff: Client) -> None:
    User.objects.create_user("carol@example.com")

    response = staff.post(reverse("admin:accounts_user_add"), ADDED)

    assert response.status_code == 200
    assert User.objects.count() == 2


def test_a_user_is_changed(staff: Client) -> None:
    carol = User.objects.create_user("carol@example.com", "long enough 1")

    page = staff.get(reverse("admin:accounts_user_change", args=[carol.pk]))
    response = staff.post(
        reverse("admin:accounts_user_change", args=[carol.pk]),
        {"email": "carol@example.com", "first_name": "Carol", "last_name": "", "is_active": "on", "is_staff": "on"},
    )

    carol.refresh_from_db()
    assert page.status_code == 200
    assert response.status_code == 302
    assert (carol.first_name, carol.is_staff, carol.check_password("long enough 1")) == ("Carol", True, True)


def test_users_are_listed_and_found(staff: Client) -> None:
    User.objects.create_user("carol@example.com")

    response = staff.get(reverse("admin:accounts_user_changelist"), {"q": "carol"})

    assert "carol@example.com" in response.content.decode()
    assert response.context["cl"].result_count == 1


def test_a_token_is_looked_at_and_revoked_but_its_hash_is_never_shown(staff: Client) -> None:
    carol = User.objects.create_user("carol@example.com")
    life = timedelta(days=1)
    token, secret = create_token(user=carol, scope="read", life=life, name="nightly run")
    address = reverse("admin:accounts_token_changelist")
    pages = [
        staff.get(address, {"q": "nightly"}).content.decode(),
        staff.get(reverse("admin:accounts_token_change", args=[token.pk])).content.decode(),
    ]
    done = staff.post(address, {"action": "revoke", "_selected_action": [token.pk]}, follow=True).content.decode()

    assert all("nightly run" in page and token.shown in page for page in pages)
    assert all(token.digest not in page and secret not in page for page in pages)
    assert staff.get(reverse("admin:accounts_token_add")).status_code == 403
    token.refresh_from_db()
    assert ("1 token revoked." in done, token.revoked_at is not None) == (True, True)
    again = staff.post(address, {"action": "revoke", "_selected_action": [token.pk]}, follow=True).content.decode()
    assert "revoked." not in again
