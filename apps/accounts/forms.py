from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError


class SignInForm(AuthenticationForm):
    """E-mail address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].error_messages["required"] = "Type your e-mail address."
        self.fields["password"].error_messages["required"] = "Type your password."

    def get_invalid_login_error(self) -> ValidationError:
        # Django's own text says that both are case-sensitive; the address is not.
        return ValidationError(
            "The e-mail address or the password is wrong. Check both and try again.", code="invalid_login"
        )
