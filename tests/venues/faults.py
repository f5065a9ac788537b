"""What a local venue does wrong on command."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    LOST_REQUEST = "lost-request"  # the connection is closed before the request is looked at
    LOST_ANSWER = "lost-answer"  # the request is carried out, then the connection is closed: a timeout *after* accepting
    SLOW = "slow"  # carried out at once, answered after ``Faults.seconds``
    LATE = "late"  # carried out after ``Faults.seconds`` although nobody waits any more; the connection is closed at once
    REJECT = "reject"  # refused in the venue's own words, nothing done
    RATE_LIMIT = "rate-limit"  # 429 with Retry-After, nothing done
    BROKEN = "broken"  # 5xx, nothing done
    BROKEN_AFTER = "broken-after"  # carried out, then 5xx
    SKEWED = "skewed"  # the venue's clock differs by ``Faults.seconds``: signed requests are refused until the client adapts
    REVOKED = "revoked"  # the credentials are no longer accepted


class StreamFault(StrEnum):
    DROP = "drop"  # the next message is not sent
    DUPLICATE = "duplicate"  # it is sent twice
    REORDER = "reorder"  # it is sent after the one that follows
    DISCONNECT = "disconnect"  # the stream is closed instead of sending it


@dataclass
class Faults:
    """Which faults come next. An operation is "submit", "cancel", "replace" or "ask" (every question)."""

    seconds: float = 0.3
    waiting: dict[str, deque[Fault]] = field(default_factory=dict)
    lasting: dict[str, Fault] = field(default_factory=dict)
    stream: deque[StreamFault] = field(default_factory=deque)

    def next(self, operation: str, *faults: Fault) -> None:
        """The next requests of ``operation`` go wrong, one by one."""
        self.waiting.setdefault(operation, deque()).extend(faults)

    def always(self, operation: str, fault: Fault | None) -> None:
        """Every request of ``operation`` goes wrong until told otherwise (None)."""
        if fault is None:
            self.lasting.pop(operation, None)
        else:
            self.lasting[operation] = fault

    def take(self, operation: str) -> Fault | None:
        """What is wrong with the request that just came."""
        queue = self.waiting.get(operation)
        return queue.popleft() if queue else self.lasting.get(operation)

    def take_stream(self) -> StreamFault | None:
        return self.stream.popleft() if self.stream else None
