"""Pages of lists: cursors, newest first, so that what is added meanwhile moves nothing."""

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size_query_param = "page_size"
    max_page_size = 200
