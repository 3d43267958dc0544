from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.management import call_command
from django.db import IntegrityError

from apps.accounts.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"


def test_a_user_is_known_by_address_and_has_no_user_name() -> None:
    user = User.objects.create_user("  Alice@Example.COM ", PASSWORD, first_name="Alice")

    assert (user.email, str(user), user.first_name) == ("alice@example.com", "alice@example.com", "Alice")
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)
    with pytest.raises(FieldDoesNotExist):
        User._meta.get_field("username")  # type: ignore[misc]


@pytest.mark.parametrize("address", ["alice@example.com", "ALICE@EXAMPLE.COM", "Alice@Example.com"])
def test_sign_in_works_with_any_case(address: str) -> None:
    alice = User.objects.create_user("alice@Example.com", PASSWORD)

    assert authenticate(username=address, password=PASSWORD) == alice
    assert async_to_sync(aauthenticate)(username=address, password=PASSWORD) == alice
    assert authenticate(username=address, password="wrong") is None


@pytest.mark.parametrize("address", ["a%@example.com", "a_ice@example.com", "", "alice"])
def test_no_pattern_signs_in(address: str) -> None:
    User.objects.create_user("alice@example.com", PASSWORD)

    assert authenticate(username=address, password=PASSWORD) is None


def test_an_inactive_user_and_one_without_a_password_do_not_sign_in() -> None:
    User.objects.create_user("alice@example.com", PASSWORD, is_active=False)
    User.objects.create_user("bob@example.com")

    assert authenticate(username="alice@example.com", password=PASSWORD) is None
    assert authenticate(username="bob@example.com", password="") is None


def test_the_database_refuses_an_address_twice_whatever_its_case() -> None:
    User.objects.create_user("alice@example.com")

    with pytest.raises(IntegrityError):
        User.objects.bulk_create([User(email="ALICE@example.com")])


def test_a_form_says_that_an_address_is_taken_whatever_its_case() -> None:
    User.objects.create_user("alice@example.com")

    with pytest.raises(ValidationError) as caught:
        User(email="ALICE@example.com", password="x").full_clean()

    assert caught.value.messages == ["Someone has this address."]


def test_a_user_needs_an_address() -> None:
    with pytest.raises(ValueError, match="a user needs an e-mail address"):
        User.objects.create_user("")


def test_the_first_user_is_made_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)

    call_command("createsuperuser", "--no-input", "--email", "Root@Example.com", verbosity=0)

    root = User.objects.get()
    assert (root.email, root.is_staff, root.is_superuser) == ("root@example.com", True, True)
    assert root.check_password(PASSWORD)


def test_addresses_are_listed_in_order() -> None:
    for name in ("carol", "alice", "bob"):
        User.objects.create_user(f"{name}@example.com")

    assert [user.email.split("@")[0] for user in User.objects.all()] == ["alice", "bob", "carol"]
