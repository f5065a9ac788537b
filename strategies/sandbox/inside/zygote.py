"""The zygote: imports everything once inside the jail, then forks a child for each run, ahead of it, and tells how it ended.

``python zygote.py CONTROL SITE CODE``; CONTROL is one end of a SOCK_SEQPACKET pair. Each message on it is a request:
JSON, with the descriptors that it names. On the request's own ``status`` socket the host gets a pidfd of the child, then
its exit status. No user code runs in this process, so none can leave anything in the memory that children start with.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import socket
import struct
import sys

STATUS = struct.Struct("<ci")  # b"P" with a pidfd, or b"E" with the wait status
LARGEST_REQUEST = 8192
AHEAD = 2
QUIET = 25  # milliseconds without news after which another child is forked ahead: a run is not to share its core with that
_MODULES = (  # all that a strategy may want, and the parts of the library that import lazily
    "array bisect cmath collections contextlib copy dataclasses datetime decimal enum faulthandler fractions functools heapq"
    " itertools json linecache math mmap operator random re resource signal statistics string struct textwrap time"
    " traceback types typing warnings weakref zlib zoneinfo hashlib"
    " numpy numpy.random numpy.linalg numpy.fft pandas numba talib"
    " marketdata.indicators.registry clusterx_api"
    " strategies.sandbox.inside.child strategies.sandbox.inside.warm"
)
MODULES = tuple(_MODULES.split())


def import_everything() -> None:
    """Numba may read its cache in the jail and never write it: what is missing there is compiled in memory."""
    from numba.core import caching, dispatcher

    setattr(caching._CacheLocator, "ensure_cache_path", lambda self: None)  # noqa: B010
    setattr(caching.Cache, "save_overload", lambda self, signature, data: None)  # noqa: B010
    for name in MODULES:
        importlib.import_module(name)
    # A strategy's own `njit(cache=True)` has no file to be cached beside.
    setattr(dispatcher.Dispatcher, "enable_caching", lambda self: None)  # noqa: B010


class Spare:
    """A child forked ahead of its run, so that a run waits neither for the fork nor for the first touch of its memory."""

    def __init__(self) -> None:
        self.hand, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._wait(theirs)
        theirs.close()
        self.pidfd = os.pidfd_open(self.pid)

    def _wait(self, given: socket.socket) -> None:
        """In the child: let go of all that is of other runs, get ready, and take the one request. Never returns."""
        status = 111
        try:
            from strategies.sandbox.inside import child

            os.closerange(3, given.fileno())
            os.closerange(given.fileno() + 1, 1 << 20)
            program = child.get_ready()
            message, descriptors, _, _ = socket.recv_fds(given, LARGEST_REQUEST, 16)
            if message:
                request = json.loads(message)
                status = child.run(request, dict(zip(request["descriptors"], descriptors, strict=True)), program)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)

    def take(self, message: bytes, descriptors: list[int]) -> None:
        socket.send_fds(self.hand, [message], descriptors)
        self.hand.close()


class Server:
    """The children at work, by their pidfd, each with the socket on which its end is told."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
        self.running: dict[int, tuple[int, socket.socket]] = {}
        self.owners: dict[int, int] = {}  # status → pidfd
        self.spares = [Spare() for _ in range(AHEAD)]

    def serve(self) -> None:
        """Until the host closes its end."""
        while True:
            news = self.poll.poll(QUIET if len(self.spares) < AHEAD else None)
            for ready, event in news:
                if ready == self.control.fileno():
                    if not self._begin():
                        return
                elif ready in self.owners:
                    # The host hung up: it has no more use for the child.
                    self.poll.unregister(ready)
                    os.kill(self.running[self.owners[ready]][0], 9)
                elif ready in self.running and event:
                    self._end(ready)
            if not self.spares or (not news and len(self.spares) < AHEAD):
                self.spares.append(Spare())

    def _begin(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self.control, LARGEST_REQUEST, 16)
        if not message:
            return False
        spare, position = self.spares.pop(0) if self.spares else Spare(), json.loads(message)["descriptors"].index("status")
        # A spare that has died meanwhile is told as one that never was armed.
        with contextlib.suppress(OSError):
            spare.take(message, descriptors)
        status = socket.socket(fileno=descriptors.pop(position))
        for descriptor in descriptors:
            os.close(descriptor)
        self.running[spare.pidfd], self.owners[status.fileno()] = (spare.pid, status), spare.pidfd
        self.poll.register(spare.pidfd, select.POLLIN)
        self.poll.register(status, 0)
        try:
            socket.send_fds(status, [STATUS.pack(b"P", spare.pid)], [spare.pidfd])
        except OSError:
            os.kill(spare.pid, 9)
        return True

    def _end(self, pidfd: int) -> None:
        pid, status = self.running.pop(pidfd)
        self.poll.unregister(pidfd)
        os.close(pidfd)
        _, ended = os.waitpid(pid, 0)
        self.owners.pop(status.fileno(), None)
        with contextlib.suppress(KeyError):
            self.poll.unregister(status)
        with contextlib.suppress(OSError):
            status.send(STATUS.pack(b"E", ended))
        status.close()


def main() -> None:
    gc.disable()  # a tenth of the start; what imports leave lying is collected at their end
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.path[:] = [sys.argv[3], sys.argv[2], *(path for path in sys.path if "lib" in path.split("/"))]
    import_everything()
    from strategies.sandbox.inside import seccomp, warm

    warm.warm()

    gc.collect()
    gc.freeze()
    seccomp.install(seccomp.compile_filter(seccomp.zygote_rules(), seccomp.machine()))
    server = Server(control)
    control.send(b"ready")
    server.serve()


if __name__ == "__main__":
    main()
