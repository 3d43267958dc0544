from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Makes users that are known by their e-mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    async def aget_by_natural_key(self, username: str | None) -> User:
        return await self.aget(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Store a user with `email` in lower case; without a password nobody can sign in as it."""
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})


class User(AbstractUser):
    """Someone who uses Loom, known by e-mail address alone."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True, error_messages={"unique": "Someone has this address."})

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique_whatever_case",
                violation_error_message="Someone has this address.",
            )
        ]

    def __str__(self) -> str:
        return self.email


class Token(models.Model):
    """Lets a program use the API as its user, as far as its scope goes. The secret itself is stored nowhere."""

    class Scope(models.TextChoices):
        METRICS = "metrics", "Metrics alone"
        READ = "read", "Read"
        INVOKE = "invoke", "Read and invoke"
        MANAGE = "manage", "Read, invoke and manage"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80, blank=True, default="", help_text="What it is used for.")
    scope = models.CharField(max_length=10, choices=Scope.choices)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    shown = models.CharField("begins with", max_length=20, editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To within some minutes.")

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.shown}… {self.name}".rstrip()

    @property
    def is_valid(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > timezone.now()
