"""Users, known by e-mail address alone, and the tokens of their programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import forms as auth_forms
from django.forms import ModelForm
from django.http import HttpRequest

from apps.accounts.models import Token, User
from apps.accounts.services import revoke_token
from apps.core.admin import RecordAdmin, service_action

if TYPE_CHECKING:
    _UserAdmin = auth_admin.UserAdmin[User]
    _AddForm = auth_forms.AdminUserCreationForm[User]
else:
    _UserAdmin = auth_admin.UserAdmin
    _AddForm = auth_forms.AdminUserCreationForm


class UserAddForm(_AddForm):
    """Django's own asks for a user name."""

    class Meta:
        model = User
        fields = ["email"]


@admin.register(User)
class UserAdmin(_UserAdmin):
    add_form = UserAddForm
    list_display = ["email", "first_name", "last_name", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_superuser", "is_active"]
    search_fields = ["email", "first_name", "last_name"]
    ordering = ["email"]
    show_full_result_count = False
    filter_horizontal = ()  # its labels are not accessible; the browser's own list is
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Name", {"fields": ["first_name", "last_name"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["email", "usable_password", "password1", "password2"]}),
    ]
    readonly_fields = ["last_login", "date_joined"]

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Store the address in lower case, as UserManager does."""
        obj.email = obj.email.lower()
        super().save_model(request, obj, form, change)


@admin.register(Token)
class TokenAdmin(RecordAdmin[Token]):
    """Tokens are made by `manage.py create_token`, which shows the secret once; here they are looked at and revoked."""

    list_display = ["shown", "name", "user", "scope", "created_at", "expires_at", "last_used_at", "revoked_at"]
    list_select_related = ["user"]
    list_filter = ["scope", ("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "shown", "user__email"]
    exclude = ["digest"]
    actions = ["revoke"]

    revoke = service_action(
        Token,
        "Revoke the selected tokens",
        lambda token: revoke_token(token=token),
        among=lambda tokens: tokens.filter(revoked_at=None),
        done="revoked",
    )
