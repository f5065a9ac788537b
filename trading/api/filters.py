"""How lists of trading are narrowed: by public ids and references."""

from __future__ import annotations

import django_filters as filters  # type: ignore[import-untyped]


class ByAccount(filters.FilterSet):
    account = filters.UUIDFilter(field_name="account__public_id")
    instrument = filters.CharFilter(field_name="instrument__ref")


class ByDeployment(ByAccount):
    deployment = filters.UUIDFilter(field_name="deployment__public_id")
