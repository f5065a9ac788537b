"""Request bodies: JSON by orjson, of a bounded size."""

from __future__ import annotations

from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework import exceptions
from rest_framework.parsers import BaseParser


class BodyTooLarge(exceptions.APIException):
    status_code = 413
    default_code = "too-large"


class FastJSONParser(BaseParser):
    """Strict JSON: no NaN, no half surrogates, no nesting that would end in a recursion error."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise BodyTooLarge(f"A body holds at most {most} bytes.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise exceptions.ParseError(f"The body is not JSON: {error}") from error
