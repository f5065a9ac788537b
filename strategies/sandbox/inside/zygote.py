"""The zygote: imports everything once inside the jail, then forks a child for each run and tells how it ended.

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


def fork(request: dict, descriptors: list[int]) -> int:
    """The child's pid. In the child this never returns."""
    pid = os.fork()
    if pid:
        return pid
    status = 111
    try:
        from strategies.sandbox.inside import child

        status = child.run(request, dict(zip(request["descriptors"], descriptors, strict=True)))
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)
    return 0


def serve(control: socket.socket) -> None:
    """Until the host closes its end."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    running: dict[int, tuple[int, socket.socket]] = {}  # pidfd → pid, status
    owners: dict[int, int] = {}  # status → pidfd
    while True:
        for ready, event in poll.poll():
            if ready == control.fileno():
                message, descriptors, _, _ = socket.recv_fds(control, LARGEST_REQUEST, 16)
                if not message:
                    return
                request = json.loads(message)
                pid = fork(request, descriptors)
                status = socket.socket(fileno=descriptors[request["descriptors"].index("status")])
                for descriptor in descriptors:
                    if descriptor != status.fileno():
                        os.close(descriptor)
                pidfd = os.pidfd_open(pid)
                running[pidfd], owners[status.fileno()] = (pid, status), pidfd
                poll.register(pidfd, select.POLLIN)
                poll.register(status, 0)  # the host hangs up when it has no more use for the child
                try:
                    socket.send_fds(status, [STATUS.pack(b"P", pid)], [pidfd])
                except OSError:
                    os.kill(pid, 9)
            elif ready in owners:
                poll.unregister(ready)
                pid, _ = running[owners[ready]]
                os.kill(pid, 9)
            elif ready in running and event:
                pid, status = running.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                _, ended = os.waitpid(pid, 0)
                if owners.pop(status.fileno(), None) is not None:
                    with contextlib.suppress(KeyError):
                        poll.unregister(status)
                with contextlib.suppress(OSError):
                    status.send(STATUS.pack(b"E", ended))
                status.close()


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.path[:] = [sys.argv[3], sys.argv[2], *(path for path in sys.path if "lib" in path.split("/"))]
    import_everything()
    from strategies.sandbox.inside import seccomp, warm

    warm.warm()

    gc.collect()
    gc.freeze()
    seccomp.install(seccomp.compile_filter(seccomp.zygote_rules(), seccomp.machine()))
    control.send(json.dumps({"ready": True, "pid": os.getpid()}).encode())
    serve(control)


if __name__ == "__main__":
    main()
