"""Serializer fields whose errors say what was expected."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

MOST_NAMED = 20


class ChoiceField(serializers.ChoiceField):
    """Names its choices when another value is given."""

    default_error_messages = {"invalid_choice": "must be {expected}, was {input}."}  # noqa: RUF012  (DRF's way)

    def fail(self, key: str, **facts: Any) -> Any:
        names = [str(name) for name in self.choices]
        more = f" or {len(names) - MOST_NAMED} others" if len(names) > MOST_NAMED else ""
        expected = f"one of {', '.join(names[:MOST_NAMED])}{more}"
        if "input" in facts:
            facts["input"] = repr(str(facts["input"])[:80])
        super().fail(key, expected=expected, **facts)


class FloatField(serializers.FloatField):
    """A number; true is none, though Python takes it for 1."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)
