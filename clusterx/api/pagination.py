"""Pages of lists: cursors, newest first, so that what is added meanwhile moves nothing."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from clusterx.api.whole_numbers import whole_number

LONGEST_CURSOR = 500


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size_query_param = "page_size"
    max_page_size = 200
    invalid_cursor_message = "must be taken from the links `next` and `previous` of a page."

    def get_page_size(self, request: Request) -> int | None:
        asked = request.query_params.get("page_size")
        if asked is None:
            return self.page_size
        size = whole_number(asked, least=1, most=self.max_page_size)
        if size is None:
            raise ValidationError(
                {"page_size": [f"must be a whole number from 1 to {self.max_page_size}, was {asked[:20]!r}."]}
            )
        return size

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Whoever makes cursors up is told so: their text is compared with a column, and may not even have its type."""
        cursor = request.query_params.get(self.cursor_query_param, "")
        try:
            if len(cursor) > LONGEST_CURSOR:
                raise ValueError
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, DjangoValidationError, DataError):
            if not cursor:
                raise
            raise ValidationError({self.cursor_query_param: [self.invalid_cursor_message]}) from None
