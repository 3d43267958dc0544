from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator

PASSWORD_MAX_LENGTH = 4_096  # nobody's is longer, and each try is computed with


class SignInForm(AuthenticationForm):
    """E-mail address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].error_messages["required"] = "Type your e-mail address."
        password = self.fields["password"]
        assert isinstance(password, forms.CharField)
        password.error_messages["required"] = "Type your password."
        password.max_length = PASSWORD_MAX_LENGTH
        password.validators.append(MaxLengthValidator(PASSWORD_MAX_LENGTH))

    def get_invalid_login_error(self) -> ValidationError:
        # Django's own text says that both are case-sensitive; the address is not.
        return ValidationError(
            "The e-mail address or the password is wrong. Check both and try again.", code="invalid_login"
        )
