"""People and their tokens, for staff."""

from typing import ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from clusterx.accounts.models import ApiToken, User


@admin.register(User)
class PersonAdmin(UserAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("-date_joined",)
    fieldsets = (
        (None, {"fields": ("email", "password", "name")}),
        ("Display", {"fields": ("theme", "palette", "time_zone", "language", "base_currency")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)
    readonly_fields = ("last_login", "date_joined")


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    list_display = ("prefix", "name", "user", "scope", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("scope",)
    search_fields = ("name", "user__email")
    list_select_related = ("user",)
    fields: ClassVar = ["prefix", "name", "user", "scope", "created_at", "last_used_at", "expires_at", "revoked_at"]
    readonly_fields = ("prefix", "name", "user", "scope", "created_at", "last_used_at", "expires_at")

    def has_add_permission(self, request: object) -> bool:
        return False  # nobody but their owner sees a token's text
