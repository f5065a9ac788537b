"""People, their tokens, and what staff did, for staff."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from django.utils import timezone

from clusterx.accounts.models import ApiToken, User
from clusterx.accounts.services import revoke_token

POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class PersonAdmin(UserAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("-date_joined",)
    fieldsets = (
        (None, {"fields": ("email", "password", "name")}),
        ("Display", {"fields": ("theme", "palette", "time_zone", "language", "base_currency")}),
        ("Permissions", {"fields": ("is_active", *POWERS)}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # An address is changed by its owner, who must confirm it; powers are given by superusers alone.
        fixed = ("last_login", "date_joined") if obj is None else ("email", "last_login", "date_joined")
        return fixed if request.user.is_superuser else fixed + POWERS

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False  # or staff could set a superuser's password
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the log of events names people for good; an account is made inactive instead


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "name", "user", "scope", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("scope",)
    search_fields = ("name", "prefix", "user__email")
    list_select_related = ("user",)
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(description="Revoke for good", permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: Any) -> None:
        for token in tokens:
            revoke_token(user=token.user, public_id=token.public_id, at=timezone.now())
            self.log_change(request, token, "Revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apitoken")


@admin.register(LogEntry)
class StaffLogAdmin(ReadOnlyAdmin):
    """What staff did on this site. The database refuses to change it."""

    list_display = ("action_time", "user", "action_flag", "content_type", "object_repr", "said")
    list_filter = ("action_flag", "content_type")
    search_fields = ("user__email", "object_repr", "change_message")
    list_select_related = ("user", "content_type")
    show_full_result_count = False

    @admin.display(description="change")
    def said(self, entry: LogEntry) -> str:
        return entry.get_change_message()


admin.site.unregister(Authenticator)
admin.site.unregister(UserSession)


@admin.register(UserSession)
class SessionAdmin(ReadOnlyAdmin):
    """Who is signed in, and from where."""

    list_display = ("user", "ip", "created_at", "last_seen_at", "user_agent")
    search_fields = ("user__email", "ip__exact")
    list_select_related = ("user",)
    exclude = ("session_key", "data")


@admin.register(Authenticator)
class SecondFactorAdmin(admin.ModelAdmin):
    """Staff may take a lost factor away, never see one."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ("user__email",)
    list_select_related = ("user",)
    fields = readonly_fields = ("user", "type", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
