"""What requests may hold: a name that is not known is refused, since misspelt it would be taken for left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers

LONGEST_NAME = 60  # characters of an unknown name that are said back
MOST_NAMED = 60  # unknown names that are said back
PAGING = frozenset({"cursor", "page_size"})


class Input(serializers.Serializer[Any]):
    """A request's body or query. ``beside`` are names that somebody else reads from the same query."""

    beside: ClassVar[frozenset[str]] = frozenset()
    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "must be an object with names and values, was {datatype}."}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields and name not in self.beside]
            if unknown:
                known = ", ".join([*self.fields, *sorted(self.beside)])
                said = serializers.ErrorDetail(f"is not known here; known are {known}.", code="unknown-field")
                raise serializers.ValidationError({str(name)[:LONGEST_NAME]: [said] for name in unknown[:MOST_NAMED]})
        return super().to_internal_value(data)


class ByReference(serializers.SlugRelatedField[Any]):
    """A row by its reference; text that no column can hold is the reference of none."""

    default_error_messages: ClassVar[dict[str, Any]] = {"does_not_exist": "there is none with the reference {value}."}

    def to_internal_value(self, data: Any) -> Any:
        if "\0" in str(data):
            self.fail("does_not_exist", slug_name=self.slug_field, value=str(data).replace("\0", "\\0")[:80])
        return super().to_internal_value(data)
