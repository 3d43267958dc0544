from __future__ import annotations

import pytest

from loom.environment import load
from loom.mail import Mail

KEY = "k" * 40


def mail_of(monkeypatch: pytest.MonkeyPatch, url: str) -> Mail:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("EMAIL_URL", url)
    environment = load()
    assert environment.email_url is not None
    assert "sesame" not in repr(environment)
    return environment.email_url


def test_mail_leaves_as_its_address_says(monkeypatch: pytest.MonkeyPatch) -> None:
    found = mail_of(monkeypatch, "smtp://loom:open%40sesame@mail.example.com?from=loom@example.com")

    assert (found.host, found.port, found.user, found.password) == ("mail.example.com", 587, "loom", "open@sesame")
    assert (found.sender, found.is_starttls, found.is_tls) == ("loom@example.com", True, False)
    assert mail_of(monkeypatch, "smtps://mail.example.com?from=a@b").port == 465
    assert not mail_of(monkeypatch, "smtp://127.0.0.1:25?tls=none&from=a@b").is_starttls
