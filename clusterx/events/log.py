"""Writing to the event log and reading from it: payloads are frozen types going in and coming out.

@register_payload("order.filled")
@dataclass(frozen=True)
class OrderFilled: …

append(stream="account/…", type="order.filled", payload=OrderFilled(…), at=now)
"""

from __future__ import annotations

import builtins
import dataclasses
import types
import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from clusterx.events.models import Event

if TYPE_CHECKING:
    from clusterx.accounts.models import User

P = TypeVar("P", bound=type)
_payloads: dict[tuple[str, int], type] = {}
_newest: dict[str, int] = {}


class UnknownPayload(LookupError):
    """No type is registered for an event's type and version."""


def register_payload(name: str, *, version: int = 1) -> Callable[[P], P]:
    """Say that a frozen dataclass is the payload of events called ``name`` in this ``version``."""

    def register(payload_type: P) -> P:
        if not dataclasses.is_dataclass(payload_type) or not payload_type.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise TypeError(f"{payload_type.__name__} must be a frozen dataclass")
        taken = _payloads.get((name, version))
        if taken is not None and taken.__qualname__ != payload_type.__qualname__:
            raise TypeError(f"{name} version {version} is {taken.__qualname__} already")
        _payloads[name, version] = payload_type
        _newest[name] = max(version, _newest.get(name, 0))
        return payload_type

    return register


def append(
    *,
    stream: str,
    type: str,
    payload: Any,
    at: datetime,
    actor: User | None = None,
    correlation_id: uuid.UUID | None = None,
) -> Event:
    """Add one event to the end of ``stream``, in the caller's transaction.

    Raises TypeError when the payload is no frozen dataclass, or not of the newest type registered for ``type``.
    """
    version = _newest.get(type, 1)
    expected = _payloads.get((type, version))
    if expected is not None and not isinstance(payload, expected):
        raise TypeError(f"an event {type!r} takes {expected.__name__}, was {payload.__class__.__name__}")
    if not dataclasses.is_dataclass(payload) or isinstance(payload, builtins.type) or not payload.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise TypeError(f"a payload is a frozen dataclass, was {payload.__class__.__name__}")
    return Event.objects.create(
        stream=stream,
        type=type,
        version=version,
        payload=_plain(dataclasses.asdict(payload)),
        actor=actor,
        correlation_id=correlation_id or uuid.uuid4(),
        occurred_at=at,
    )


def read(event: Event) -> Any:
    """The payload of ``event`` as its registered type."""
    try:
        payload_type = _payloads[event.type, event.version]
    except KeyError:
        raise UnknownPayload(f"{event.type} version {event.version}") from None
    return _built(payload_type, event.payload)


def _plain(value: Any) -> Any:
    """As JSON holds it: exact numbers, times and ids as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    return value


def _typed(value: Any, hint: Any) -> Any:
    """``value`` as JSON holds it, back as the type that ``hint`` names."""
    if value is None:
        return None
    if get_origin(hint) in {Union, types.UnionType}:
        hint = next(option for option in get_args(hint) if option is not type(None))
    if hint is Decimal:
        return Decimal(value)
    if hint is datetime:
        return datetime.fromisoformat(value)
    if hint is uuid.UUID:
        return uuid.UUID(value)
    if dataclasses.is_dataclass(hint):
        return _built(hint, value)
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        repeated = len(inner) == 2 and inner[1] is Ellipsis
        return tuple(_typed(item, inner[0] if repeated else one) for item, one in zip(value, inner * len(value), strict=False))
    if get_origin(hint) is list:
        return [_typed(item, get_args(hint)[0]) for item in value]
    return value


def _built(payload_type: Any, plain: dict[str, Any]) -> Any:
    # A field that a later version of the code dropped is passed over; one that it added needs a default.
    hints = get_type_hints(payload_type)
    known = {field.name for field in dataclasses.fields(payload_type)}
    return payload_type(**{name: _typed(value, hints[name]) for name, value in plain.items() if name in known})
