"""People: who they are and how they want to see things."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from clusterx.accounts.addresses import check_length


class UserManager(BaseUserManager["User"]):
    """Creates people by e-mail address; there are no user names."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **fields | {"is_staff": True, "is_superuser": True})


class User(AbstractUser):
    """A person who can sign in. Display settings are theirs alone, so they stand here."""

    class Theme(models.TextChoices):
        AUTO = "auto", _("As my device")
        DARK = "dark", _("Dark")
        LIGHT = "light", _("Light")

    class Palette(models.TextChoices):
        STANDARD = "standard", _("Green and red")
        COLOUR_BLIND = "colour-blind", _("Blue and orange")

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=80, blank=True)
    theme = models.CharField(_("theme"), max_length=8, choices=Theme.choices, default=Theme.AUTO)
    palette = models.CharField(_("colours for up and down"), max_length=12, choices=Palette.choices, default=Palette.STANDARD)
    # Empty is the device's own zone: scripts know it, and until they run times are in UTC.
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    base_currency = models.CharField(_("base currency"), max_length=8, default="USD")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints: ClassVar = [
            # Two spellings of one address must not be two people.
            models.UniqueConstraint(Lower("email"), name="user_email_case_insensitive"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        super().clean()
        try:
            check_length(self.email)
        except ValidationError as error:
            raise ValidationError({"email": error}) from None
        self.email = self.email.lower()  # as everybody's is who signs up


class ApiToken(models.Model):
    """A key to the REST API. Only its hash is kept: whoever reads this table can use none of them."""

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        TRADE = "trade", _("Read and trade")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=60)
    scope = models.CharField(_("may"), max_length=8, choices=Scope.choices, default=Scope.READ)
    prefix = models.CharField(max_length=11, help_text=_("Its first letters, by which its owner knows it."))
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(_("expires"), null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"
