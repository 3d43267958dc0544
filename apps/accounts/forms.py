from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError


class SignInForm(AuthenticationForm):
    """E-mail address and password."""

    def get_invalid_login_error(self) -> ValidationError:
        # Django's own text says that both are case-sensitive; the address is not.
        return ValidationError(
            "This address and this password do not belong together. Check both and try again.", code="invalid_login"
        )
