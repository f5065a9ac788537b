"""What goes wrong on command, so that tests see a client recover from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MALFORMED = (
    b'{"e":"trade","E":1,"s":"%b","t":-5,"p":"-1","q":"0","T":1,"m":true}',
    b'{"e":"trade","E":1,"s":"%b","t":1,"p":"NaN","q":"1","T":1,"m":true}',
    b'{"e":"kline","s":"%b","k":null}',
    b'{"e":"depthUpdate","s":"%b"}',
    b'{"unheard":"of %b"}',
    b'[1, 2, "%b"]',
)


@dataclass
class Faults:
    """Counters are used up one by one; ``delay`` holds until it is set back."""

    statuses: deque[int] = field(default_factory=deque)  # the next REST answers have these HTTP statuses
    malformed: int = 0  # so many messages are followed by one that makes no sense
    cut: int = 0  # so many messages end in the middle
    duplicate: int = 0  # so many messages are sent twice
    drop: dict[str, int] = field(default_factory=dict)  # stream kind ("depth", "trade") → so many are not sent
    swap: int = 0  # so many messages are sent after their successor
    delay: float = 0.0  # seconds that every message is held back

    def change(self, values: Mapping[str, Any]) -> None:
        """Set what ``values`` names, as ``/control/faults`` gets it.

        Raises ValueError for a name that there is not or a value of another kind.
        """
        counters = ("malformed", "cut", "duplicate", "swap")
        for name, value in values.items():
            match name, value:
                case "statuses", list() if all(isinstance(status, int) and 400 <= status < 600 for status in value):
                    self.statuses = deque(value)
                case "drop", dict() if all(isinstance(count, int) and count >= 0 for count in value.values()):
                    self.drop = dict(value)
                case "delay", int() | float() if 0 <= value <= 60:
                    self.delay = float(value)
                case counter, int() if counter in counters and value >= 0:
                    setattr(self, counter, value)
                case _:
                    raise ValueError(f"no fault is {name} = {value!r}")

    def dropped(self, stream: str) -> bool:
        kind = stream.partition("@")[2].partition("_")[0]
        if self.drop.get(kind, 0) <= 0:
            return False
        self.drop[kind] -= 1
        return True

    def spoil(self, text: bytes, symbol: str) -> list[bytes]:
        """What is sent in place of one message."""
        if self.cut > 0:
            self.cut -= 1
            return [text[: len(text) // 2]]
        sent = [text]
        if self.duplicate > 0:
            self.duplicate -= 1
            sent.append(text)
        if self.malformed > 0:
            self.malformed -= 1
            sent.append(MALFORMED[self.malformed % len(MALFORMED)] % symbol.encode())
        return sent
