"""Owns one child of a zygote from the request to its death: what it writes is bounded, the clock is kept, it is killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from strategies.sandbox.inside import wire
from strategies.sandbox.limits import Limits, Reason
from strategies.sandbox.printed import plain
from strategies.sandbox.zygotes import Zygote

PIPE: Final = 1 << 20
AWAKE: Final = 100e-6  # seconds that a short answer is waited for without sleeping: to be woken takes as long as to answer
LONGEST_TRACE: Final = 8192
LAST_WORDS: Final = 0.15  # between the signal that asks where it is and the one that ends it
STARTING: Final = 10.0
_STATUS: Final = struct.Struct("<ci")
_LINE: Final = re.compile(rb'File "strategy\.py", line (\d{1,6})')
_CRASHES: Final = {
    signal.SIGSEGV: "it read or wrote memory that is not its own",
    signal.SIGBUS: "it read memory that is not there",
    signal.SIGFPE: "it divided by zero in machine code",
    signal.SIGILL: "it ran an instruction that there is not",
    signal.SIGABRT: "a library gave up",
}


class Ended(Exception):
    """The child will not answer; why, and where in the user's file."""

    def __init__(self, reason: Reason, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.reason, self.message, self.line = reason, message, line


class Child:
    """A run in progress. A context manager: leaving it kills the child.

    ``seconds`` for the whole run are counted from here; a conversation sets ``deadline`` anew for each question.
    """

    def __init__(
        self, zygote: Zygote, kind: str, *, task: int, bars: int | None, limits: Limits, longest: int, conversation: bool
    ) -> None:
        self.limits, self.longest = limits, longest
        self.deadline = time.monotonic() + limits.seconds
        self.printed = bytearray()
        self._trace = bytearray()
        self._pidfd, self._armed = -1, False
        self._ended: int | None = None
        self._partial = bytearray()
        self._open: list[int] = []
        self.status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = [theirs.detach()]
        try:
            self.result, self._printed, self._traced = (self._pipe(given) for _ in range(3))
            self.input = self._pipe(given, writing=True) if conversation else -1
            names = ["status", "result", "printed", "trace", *(["input"] if conversation else [])]
            descriptors = dict(zip(names, given, strict=True)) | {"task": task} | ({} if bars is None else {"bars": bars})
            cpu = None if conversation else int(limits.seconds) + 2
            zygote.ask(kind, {"address_space": zygote.address_space + limits.memory, "cpu": cpu}, descriptors)
        except BaseException:
            self.close()
            raise
        finally:
            for descriptor in given:
                os.close(descriptor)
        self._poll = select.poll()
        for descriptor in (self.result, self._printed, self._traced, self.status.fileno()):
            self._poll.register(descriptor, select.POLLIN)

    def _pipe(self, given: list[int], *, writing: bool = False) -> int:
        read, write = os.pipe2(os.O_CLOEXEC)
        ours, theirs = (write, read) if writing else (read, write)
        self._open.append(ours)
        given.append(theirs)
        if len(given) == 2 or writing:  # answers and bars are long, the rest is text
            with contextlib.suppress(OSError):
                fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, PIPE)
        if writing:
            os.set_blocking(ours, False)
        return ours

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill it, if it lives, and let go of everything. A second call does nothing."""
        self._signal(signal.SIGKILL)
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self.status.close()  # without a pidfd yet, the hang-up tells the zygote to kill
        while self._open:
            os.close(self._open.pop())

    def frame(self) -> tuple[dict[str, Any], dict[str, wire.Array]]:
        """The next complete frame. Raises Ended."""
        prefix = bytearray(wire.PREFIX.size)
        self._fill(memoryview(prefix))
        try:
            head, body = wire.lengths(bytes(prefix))
        except wire.BrokenFrame as error:
            raise Ended(Reason.INVALID_RESULT, str(error)) from None
        if body > self.longest:
            raise Ended(Reason.OUTPUT, f"the answer has {body:,} bytes, more than {self.longest:,}")
        text, values = bytearray(head), np.empty(body, np.uint8)
        self._fill(memoryview(text))
        if body:
            self._fill(values.data)
        try:
            return wire.decode(bytes(text), values)
        except wire.BrokenFrame as error:
            raise Ended(Reason.INVALID_RESULT, str(error)) from None

    def levels(self) -> tuple[float, float, float, float]:
        """The next answer to a bar, as it came: exposure, stop, take-profit, trail. Raises Ended."""
        if self._partial:
            raise Ended(Reason.INVALID_RESULT, "the answers are out of step")
        self._wait(writing=False)
        read = os.read(self.result, wire.LEVELS.size)
        if read[:4] == wire.LEVELS_MAGIC and len(read) == wire.LEVELS.size:
            return wire.LEVELS.unpack(read)[1:]  # type: ignore[return-value]
        self._partial += read
        header, _ = self.frame()
        return self._refused(header)

    def _refused(self, header: Mapping[str, Any]) -> tuple[float, float, float, float]:
        from strategies.sandbox.answers import Unfit, check_failure

        try:
            reason, message, line, _ = check_failure(header)
        except Unfit as error:
            raise Ended(Reason.INVALID_RESULT, str(error)) from None
        raise Ended(reason, message, line)

    def send(self, buffers: Sequence[bytes | memoryview]) -> None:
        """All of it to the child's input. Raises Ended."""
        for buffer in buffers:
            left = memoryview(buffer)
            while left:
                try:
                    left = left[os.write(self.input, left) :]
                except BlockingIOError:
                    self._wait(writing=True)
                except BrokenPipeError:
                    self._end()

    def _fill(self, into: memoryview) -> None:
        if self._partial:
            taken = min(len(self._partial), len(into))
            into[:taken] = self._partial[:taken]
            del self._partial[:taken]
            into = into[taken:]
        while into:
            self._wait(writing=False)
            count = os.readv(self.result, [into])
            if count == 0:
                self._end()
            into = into[count:]

    def _wait(self, *, writing: bool) -> None:
        """Until there is something to read (or room to write). Takes what is printed meanwhile. Raises Ended."""
        if writing:
            self._poll.register(self.input, select.POLLOUT)
        try:
            awake = time.monotonic() + AWAKE
            while True:
                left = self.deadline - time.monotonic()
                if left <= 0:
                    self._late()
                ready = self._poll.poll(0)
                while not ready and time.monotonic() < awake:
                    os.sched_yield()
                    ready = self._poll.poll(0)
                found = {descriptor for descriptor, _ in ready or self._poll.poll(left * 1000 + 1)}
                if found - {self.result, self.input}:
                    self._attend(found)
                if self.result in found or self.input in found:
                    return
                if self._ended is not None:
                    self._end()
        finally:
            if writing:
                self._poll.unregister(self.input)

    def _attend(self, found: set[int]) -> None:
        if self._printed in found:
            self._take(self._printed, self.printed, self.limits.printed + 1)
            if len(self.printed) > self.limits.printed:
                raise Ended(Reason.OUTPUT, f"printed more than {self.limits.printed:,} bytes")
        if self._traced in found:
            self._take(self._traced, self._trace, LONGEST_TRACE)
        if self.status.fileno() in found:
            self._told()

    def _take(self, descriptor: int, into: bytearray, most: int) -> None:
        read = os.read(descriptor, 65536)
        into += read[: max(0, most - len(into))]
        if not read:
            self._poll.unregister(descriptor)

    def _told(self) -> None:
        """What the zygote, and the child before it was armed, say on the status socket."""
        message, descriptors, _, _ = socket.recv_fds(self.status, _STATUS.size, 1)
        if message == b"A":
            self._armed = True
        elif message[:1] == b"P" and descriptors:
            self._pidfd = descriptors[0]
        elif message[:1] == b"E":
            self._ended = _STATUS.unpack(message)[1]
        elif not message:  # the zygote died, and with it all that it had started
            self._ended = -1
        if self._ended is not None:
            self._poll.unregister(self.status)

    def _late(self) -> None:
        """Time is up: ask where it is, then kill it. Raises Ended."""
        self._signal(signal.SIGXCPU)
        self._listen(LAST_WORDS, until_traced=True)
        self._signal(signal.SIGKILL)
        raise Ended(Reason.TIMEOUT, f"took longer than {self.limits.seconds:g} s", self._line())

    def _end(self) -> None:
        """It closed its end, or is dead: say why. Raises Ended."""
        self._listen(LAST_WORDS)
        ended = self._ended
        if not self._armed:
            raise Ended(Reason.BOUNDARY, "the boundary was not complete; the code was not run")
        if ended is None or ended == -1:
            raise Ended(Reason.ERROR, "ended without an answer" if ended is None else "the sandbox was ended", self._line())
        if not os.WIFSIGNALED(ended):
            raise Ended(Reason.ERROR, "ended itself without an answer", self._line())
        number = signal.Signals(os.WTERMSIG(ended)) if os.WTERMSIG(ended) in signal.valid_signals() else None
        if number == signal.SIGSYS:
            raise Ended(Reason.FORBIDDEN, "asked the operating system for what a strategy may not do", self._line())
        if number == signal.SIGXCPU:
            raise Ended(Reason.TIMEOUT, f"took longer than {self.limits.seconds:g} s", self._line())
        if number == signal.SIGKILL:
            raise Ended(Reason.MEMORY, "was ended by the operating system, which needed its memory", self._line())
        raise Ended(Reason.ERROR, f"crashed: {_CRASHES.get(number, 'it ended itself') if number else 'it'}", self._line())

    def _listen(self, seconds: float, *, until_traced: bool = False) -> None:
        """Until its end (or where it is) is known and the pipes are empty, or ``seconds`` are over."""
        until = time.monotonic() + seconds
        with contextlib.suppress(KeyError):
            self._poll.unregister(self.result)
        while (
            self._ended is None and not (until_traced and self._line() is not None) and (left := until - time.monotonic()) > 0
        ):
            self._attend({descriptor for descriptor, _ in self._poll.poll(left * 1000 + 1)})
        self.drain()

    def drain(self) -> None:
        """What is in the text pipes by now, as far as the limits go."""
        for descriptor, into, most in (
            (self._printed, self.printed, self.limits.printed),
            (self._traced, self._trace, LONGEST_TRACE),
        ):
            while len(into) < most and select.select([descriptor], [], [], 0)[0]:
                read = os.read(descriptor, 65536)
                if not read:
                    break
                into += read[: most - len(into)]

    def _line(self) -> int | None:
        found = _LINE.search(self._trace)
        return int(found[1]) if found else None

    def _signal(self, number: signal.Signals) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, number)

    def text(self) -> str:
        """What was printed, safe to show."""
        return plain(bytes(self.printed[: self.limits.printed]))
