"""Hostile programs: what each tries, and the reason with which it must come to nothing.

A program says ``GOT THROUGH`` (by ``won()``) if its attempt succeeded. With the boundary in place none may say it; with
the boundary removed those marked ``needs_boundary`` do, which is how one knows that the corpus can fail.
"""

from __future__ import annotations

import platform
import textwrap
from dataclasses import dataclass

PROGRAM = """
import ctypes, gc, itertools, json, mmap, os, re, resource, signal, struct, sys, threading, time
from clusterx_api import Strategy, Parameter, indicators, np, pd
libc = ctypes.CDLL(None, use_errno=True)
def won(): print("GOT THROUGH", flush=True)
def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *arguments) >= 0: won()
def code(raw):
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(raw)
    call.page = page
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
{top}
class Mine(Strategy):
    name = label = summary = "hostile"
    parameters = ()
    def history(self, p):
        return 1
    def signals(self, bars, p):
{body}
        return np.zeros(len(bars))
"""


@dataclass(frozen=True)
class Attempt:
    """``reasons`` are those with which it may end, "ok" among them where the attempt merely finds nothing."""

    name: str
    reasons: tuple[str, ...]
    code: str
    needs_boundary: bool = False


def program(body: str, top: str = "") -> str:
    return PROGRAM.format(
        top=textwrap.dedent(top).strip("\n"), body=textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8)
    )


CORPUS: list[Attempt] = []


def add(name: str, reasons: str, body: str, top: str = "", *, needs_boundary: bool = False) -> None:
    CORPUS.append(Attempt(name, tuple(reasons.split()), program(body, top), needs_boundary))


def raw(name: str, reasons: str, code: str) -> None:
    CORPUS.append(Attempt(name, tuple(reasons.split()), code))


# --- reading -----------------------------------------------------------------------------------------------------------
add("read the passwords", "forbidden", "open('/etc/passwd').read(); won()", needs_boundary=True)
add("read the shadow file", "forbidden", "open('/etc/shadow').read(); won()")
add("read the host's name", "forbidden", "open('/etc/hostname').read(); won()")
add("find secrets in the environment", "ok", "[won() for name in os.environ if 'CANARY' in name or name in ('HOME', 'PATH')]")
add("find secrets in C's environment", "ok", "libc.getenv.restype = ctypes.c_char_p\nlibc.getenv(b'CLUSTERX_CANARY') and won()")
add("read process 1's environment", "forbidden", "open('/proc/1/environ', 'rb').read(); won()", needs_boundary=True)
add("read the map of its memory", "forbidden", "open('/proc/self/maps').read(); won()", needs_boundary=True)
add("write its memory through proc", "forbidden", "open('/proc/self/mem', 'r+b'); won()", needs_boundary=True)
add("list processes", "forbidden", "os.listdir('/proc'); won()", needs_boundary=True)
add("list devices", "forbidden", "os.listdir('/dev'); won()", needs_boundary=True)
add("list homes", "forbidden", "os.listdir('/home'); won()", needs_boundary=True)
add(
    "find foreign folders",
    "ok",
    "{'etc', 'home', 'root', 'var', 'usr', 'proc', 'sys', 'dev'} & set(os.listdir('/')) and won()",
    needs_boundary=True,
)
add(
    "find keys anywhere",
    "ok",
    """
    for folder, _, files in os.walk('/'):
        if any(name.endswith(('.env', '.pem', 'settings.py', '.sqlite3', 'id_rsa')) and 'numba' not in folder for name in files):
            if not folder.startswith(('/site', '/python')): won()
    """,
)
add("import the settings", "error", "import clusterx.settings; won()")
add("import Django", "error", "import django; won()")
add("import the database driver", "error", "import psycopg; won()")
add("import trading", "error", "import trading.services; won()")
add(
    "read another process's memory",
    "forbidden",
    """
    buffer = ctypes.create_string_buffer(64)
    class V(ctypes.Structure): _fields_ = (('a', ctypes.c_void_p), ('n', ctypes.c_size_t))
    v = V(ctypes.addressof(buffer), 64)
    libc.process_vm_readv(1, ctypes.byref(v), 1, ctypes.byref(v), 1, 0) >= 0 and won()
    """,
)
add("trace process 1", "forbidden", "libc.ptrace(16, 1, 0, 0) == 0 and won()")
add("read the kernel's log", "forbidden", "libc.klogctl(3, ctypes.create_string_buffer(100), 100) >= 0 and won()")
add(
    "look for residue of others",
    "ok",
    "[won() for o in gc.get_objects() if type(o) is dict and 'RESIDUE' in str(o.get('mark'))]",
)

# --- signals to others --------------------------------------------------------------------------------------------------
add("kill the zygote", "forbidden", "os.kill(1, 9); won()")
add("kill everybody", "forbidden", "os.kill(-1, 9); won()")
add("kill the group", "forbidden", "os.killpg(0, 9); won()")
add("kill a neighbour", "forbidden", "[os.kill(pid, 9) for pid in range(2, 200)]; won()")
add("kill by pidfd", "forbidden", "fd = os.pidfd_open(1); won()", needs_boundary=True)
add("kill by tgkill", "forbidden", "libc.tgkill(1, 1, 9) == 0 and won()")
add("queue a signal", "forbidden", "libc.sigqueue(1, 10, 0) == 0 and won()")
add("have a pipe send signals", "forbidden", "import fcntl; fcntl.fcntl(4, fcntl.F_SETOWN, 1); won()", needs_boundary=True)

# --- network -------------------------------------------------------------------------------------------------------------
add("open a TCP socket", "forbidden", "import socket; socket.socket(); won()", needs_boundary=True)
add(
    "reach PostgreSQL",
    "forbidden",
    "import socket; s = socket.socket(socket.AF_UNIX); won(); s.connect('/tmp/.s.PGSQL.5432')",
    needs_boundary=True,
)
add("reach Redis", "forbidden", "import socket; socket.create_connection(('127.0.0.1', 6379), 1); won()")
add("ask the DNS", "forbidden", "import socket; socket.getaddrinfo('example.com', 80); won()")
add("fetch a page", "forbidden", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/'); won()")
add("listen", "forbidden", "import socket; socket.create_server(('0.0.0.0', 0)); won()", needs_boundary=True)
add(
    "open a netlink socket",
    "forbidden",
    "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); won()",
    needs_boundary=True,
)
add("open a packet socket", "forbidden", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3); won()")
add("open a vsock", "forbidden", "import socket; socket.socket(40, socket.SOCK_STREAM); won()")
add("make a pair of sockets", "forbidden", "import socket; socket.socketpair(); won()", needs_boundary=True)
add("set up io_uring", "forbidden", "call(425, 8, ctypes.create_string_buffer(120))")

# --- writing -------------------------------------------------------------------------------------------------------------
add("write to /tmp", "forbidden", "open('/tmp/clusterx-sandbox-mark', 'w').write('x'); won()", needs_boundary=True)
add("write where it stands", "forbidden", "open('mark', 'w').write('x'); won()")
add("append to a library", "forbidden", "open(np.__file__, 'a'); won()")
add("write into Numba's cache", "forbidden", "open(os.environ['NUMBA_CACHE_DIR'] + '/mark', 'w'); won()")
add("write to the platform's code", "forbidden", "import marketdata.bars as b; open(b.__file__, 'r+'); won()")
add("make a folder", "forbidden", "os.mkdir('/tmp/clusterx-sandbox-folder'); won()", needs_boundary=True)
add("make a symlink", "forbidden", "os.symlink('/etc/passwd', '/tmp/clusterx-sandbox-link'); won()", needs_boundary=True)
add("make a hard link", "forbidden", "os.link(np.__file__, '/mark'); won()")
add("make a device", "forbidden", "os.mknod('/mark', 0o600 | 0o20000, os.makedev(1, 1)); won()")
add("make a named pipe", "forbidden", "os.mkfifo('/mark'); won()")
add("rename a library", "forbidden", "os.rename(np.__file__, '/mark'); won()")
add("remove a library", "forbidden", "os.remove(np.__file__ + 'x'); won()")
add("change modes", "forbidden", "os.chmod('/', 0o777); won()")
add("change times", "forbidden", "os.utime('/', (0, 0)); won()")
add(
    "fill the disk",
    "forbidden",
    "import tempfile; f = tempfile.TemporaryFile(); won(); f.truncate(1 << 40)",
    needs_boundary=True,
)
add("use up inodes", "forbidden", "[open(f'/tmp/clusterx-sandbox-{i}', 'x') for i in range(5)]; won()", needs_boundary=True)
add("make memory files", "forbidden", "os.memfd_create('mark'); won()", needs_boundary=True)
add("make an unnamed file", "forbidden", "os.open('/', os.O_TMPFILE | os.O_RDWR); won()")
add("write to the bars", "forbidden", "os.write(6, b'x'); won()")
add("cut the bars short", "forbidden", "os.ftruncate(6, 0); won()")
add("map the bars to write", "forbidden", "mmap.mmap(6, 0, mmap.MAP_SHARED, mmap.PROT_WRITE); won()")
add("change the bars' array", "error", "bars.close[0] = 1; won()")
add("make the bars writable", "error", "bars.close.flags.writeable = True; won()")
add("share System V memory", "forbidden", "libc.shmget(0, 4096, 0o1600) >= 0 and won()", needs_boundary=True)
add("open a message queue", "forbidden", "libc.msgget(0, 0o1600) >= 0 and won()", needs_boundary=True)
add("fill pipes", "forbidden", "os.pipe(); won()", needs_boundary=True)
add("use up descriptors", "forbidden", "[os.dup(1) for _ in range(5000)]; won()")

# --- processes, threads, privileges -----------------------------------------------------------------------------------------
add("fork", "forbidden", "os.fork() == 0 and os._exit(0); won()", needs_boundary=True)
add(
    "fork without end",
    "ok",
    """
    for _ in range(10000):
        try:
            if os.fork() == 0: os._exit(0)
            won(); break
        except OSError: pass
    """,
    needs_boundary=True,
)
add("vfork in C", "ok", "libc.syscall(58 if os.uname().machine == 'x86_64' else 220, 17, 0, 0, 0, 0) > 0 and won()")
add("clone3", "ok", "libc.syscall(435, ctypes.create_string_buffer(88), 88) > 0 and won()")
add("start a thread", "forbidden", "one = threading.Thread(target=won); one.start(); one.join()", needs_boundary=True)
add(
    "start threads without end",
    "forbidden",
    "[threading.Thread(target=time.sleep, args=(0.1,)).start() for _ in range(200)]; won()",
    needs_boundary=True,
)
add("start workers", "forbidden", "import multiprocessing; multiprocessing.Pool(2); won()")
add("run a program", "forbidden", "import subprocess; subprocess.run([sys.executable, '-c', '']); won()", needs_boundary=True)
add("become a program", "forbidden", "os.execv('/python/bin/python', ['python', '-c', 'print(1)'])")
add("use a shell", "ok", "libc.system(b'true') == 0 and won()", needs_boundary=True)
add("use a shell through Python", "forbidden", "os.system('true'); won()")
add("use a shell behind Python's back", "ok", "import posix; posix.system('true') == 0 and won()", needs_boundary=True)
add("read from a shell", "forbidden", "os.popen('true').read(); won()", needs_boundary=True)
add("mount", "forbidden", "libc.mount(b'tmpfs', b'/', b'tmpfs', 0, 0) == 0 and won()")
add("unmount", "forbidden", "libc.umount2(b'/', 2) == 0 and won()")
add("pivot", "forbidden", "call(155 if os.uname().machine == 'x86_64' else 41, b'/', b'/')")
add("change the root", "forbidden", "os.chroot('/'); won()")
add("make a user namespace", "forbidden", "libc.unshare(0x10000000) == 0 and won()", needs_boundary=True)
add("make a mount namespace", "forbidden", "libc.unshare(0x20000) == 0 and won()")
add("enter a namespace", "forbidden", "libc.setns(6, 0) == 0 and won()")
add("become root", "forbidden", "os.setuid(0); won()")
add("change groups", "forbidden", "os.setgroups([]); won()")
add(
    "gain capabilities",
    "forbidden",
    "call(126 if os.uname().machine == 'x86_64' else 91, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))",
)
add("take the filter off", "ok", "libc.prctl(22, 0, 0, 0, 0) == 0 and won()")
add(
    "raise the limits",
    "forbidden",
    "resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY,) * 2); won()",
    needs_boundary=True,
)
add("raise its priority", "forbidden", "os.nice(-5); won()")
add("set the clock", "forbidden", "time.clock_settime(time.CLOCK_REALTIME, 0); won()")
add("load a kernel program", "forbidden", "call(321 if os.uname().machine == 'x86_64' else 280, 0, 0, 0)")
add(
    "watch the processor",
    "forbidden",
    "call(298 if os.uname().machine == 'x86_64' else 241, ctypes.create_string_buffer(128), 0, -1, -1, 0)",
)
add("handle page faults", "forbidden", "call(323 if os.uname().machine == 'x86_64' else 282, 1)")
add("use the kernel's keys", "forbidden", "call(250 if os.uname().machine == 'x86_64' else 219, 0, -3, 1)", needs_boundary=True)
add(
    "change its personality", "forbidden", "call(135 if os.uname().machine == 'x86_64' else 92, 0x0040000)", needs_boundary=True
)
add("restart the machine", "forbidden", "libc.reboot(0x1234567) == 0 and won()")
add("lock memory", "ok", "libc.mlock(ctypes.create_string_buffer(4096), 4096) == 0 and won()")

# --- memory and time ---------------------------------------------------------------------------------------------------------
add("ask for gigabytes", "memory", "bytearray(20 << 30); won()")
add("fill an array", "memory", "np.ones(1 << 31); won()")
add("grow a list", "memory", "held = []\nwhile True: held.append(bytearray(1 << 20))")
add("grow a string", "memory", "text = 'x'\nwhile True: text += text")
add(
    "swallow the memory error",
    "memory timeout",
    "held = []\nwhile True:\n    try: held.append(bytearray(1 << 22))\n    except MemoryError: raise",
)
add("map gigabytes", "memory", "mmap.mmap(-1, 64 << 30); won()")
add(
    "allocate in C",
    "ok",
    "libc.malloc.restype = ctypes.c_void_p\nsum(libc.malloc(ctypes.c_size_t(1 << 28)) is not None for _ in range(40)) == 40 and won()",
    needs_boundary=True,
)
add("loop", "timeout", "while True: pass")
add("loop in C", "timeout", "max(itertools.repeat(1))")
add("loop in numpy", "timeout", "while True: np.linalg.svd(np.random.rand(400, 400))")
add(
    "loop in machine code",
    "timeout",
    "import numba\n@numba.njit\ndef spin(i):\n    while i >= 0: i = (i + 1) & 1023\n    return i\nspin(1)",
)
add("raise a number to a number", "timeout memory", "9 ** 9 ** 9")
add("match a slow expression", "timeout", "re.match(r'(a+)+$', 'a' * 64 + 'b')")
add("catch the timeout", "timeout", "while True:\n    try:\n        while True: pass\n    except BaseException: pass")
add(
    "ignore the timeout",
    "timeout",
    "try: signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nexcept OSError: pass\nwhile True: pass",
)
add("handle the timeout", "forbidden", "signal.signal(signal.SIGXCPU, lambda *a: won())\nwhile True: pass")
add("block every signal", "timeout", "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: pass")
add("set an alarm", "forbidden", "signal.alarm(1); won()", needs_boundary=True)
add("catch a termination", "forbidden", "signal.signal(signal.SIGTERM, lambda *a: None); won()", needs_boundary=True)
add("sleep", "timeout", "time.sleep(1e6)")
add("wait for itself", "timeout", "lock = threading.Lock(); lock.acquire(); lock.acquire()")
add("recurse", "error", "def deeper(n): return deeper(n + 1)\ndeeper(0)")
add(
    "recurse past the limit",
    "error memory timeout",
    "sys.setrecursionlimit(1 << 30)\ndef deeper(n): return deeper(n + 1)\ndeeper(0)",
)
add(
    "recurse in C",
    "error memory timeout",
    "sys.setrecursionlimit(1 << 30)\nnested = []\nfor _ in range(10 ** 6): nested = [nested]\nrepr(nested)",
)

# --- machine code ---------------------------------------------------------------------------------------------------------------
add("make a socket by number", "forbidden", "call(41 if os.uname().machine == 'x86_64' else 198, 2, 1, 0)", needs_boundary=True)
add(
    "make a socket in compiled code",
    "forbidden",
    """
    import numba
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int)(('socket', libc))
    @numba.njit
    def compiled(): return function(2, 1, 0)
    compiled() >= 0 and won()
    """,
)
add("call what there is not", "ok forbidden", "libc.syscall(ctypes.c_long(99999)) >= 0 and won()")
add("read at zero", "error", "ctypes.string_at(0)")
add("write everywhere", "error", "ctypes.memset(ctypes.c_void_p(id(None)).value, 255, 1 << 30)")
add("give up", "error", "os.abort()")
add("raise SIGKILL on itself", "memory error", "os.kill(os.getpid(), 9)")
if platform.machine() == "x86_64":
    add(
        "make a socket in its own code",
        "forbidden",
        "code(bytes.fromhex('bf02000000be01000000ba00000000b8290000000f05c3'))() >= 0 and won()",
        needs_boundary=True,
    )
    add("call through int80", "forbidden", "code(bytes.fromhex('b814000000cd80c3'))() > 0 and won()", needs_boundary=True)
    add("call through x32", "forbidden", "libc.syscall(ctypes.c_long(0x40000027)) >= 0 and won()")
    add("run what is no instruction", "error", "code(bytes.fromhex('0f0b'))()")
    add("jump nowhere", "error", "code(bytes.fromhex('31c0ffe0'))()")

# --- the protocol ---------------------------------------------------------------------------------------------------------------
FRAME = """
def frame(header, body=b''):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    os.write(4, struct.pack('<4sIQ', b'CXF1', len(text), len(body)) + text + body)
    time.sleep(60)
"""
add(
    "return a pickle bomb", "invalid-result", "class P:\n    def __reduce__(self): return (print, ('GOT THROUGH',))\nreturn P()"
)
add(
    "pretend to be an array",
    "invalid-result",
    "class P:\n    def __array__(self, *a, **k): return np.full((len(bars), 2), 1e9)\nreturn P()",
)
add("lie about the length", "invalid-result", "class P(np.ndarray):\n    shape = (len(bars),)\nreturn np.zeros(3).view(P)")
add("lie about the shape", "invalid-result", "class P(list):\n    def __len__(self): return len(bars)\nreturn P()")
add("return objects", "invalid-result", "return np.array([object()] * len(bars), dtype=object)")
add("return text", "invalid-result", "return 'x' * len(bars)")
add("return nothing", "invalid-result", "return None")
add("return two columns", "invalid-result", "return np.zeros((len(bars), 2))")
add("return too few", "invalid-result", "return np.zeros(len(bars) - 1)")
add("return gigabytes", "invalid-result memory", "return np.zeros(1 << 26)")
add("return NaN", "invalid-result", "return np.full(len(bars), np.nan)")
add("return infinity", "invalid-result", "return np.full(len(bars), np.inf)")
add("ask for everything", "invalid-result", "return np.full(len(bars), 1e9)")
add(
    "raise while converted",
    "error invalid-result",
    "class P:\n    def __array__(self, *a, **k): raise OverflowError('x')\nreturn P()",
)
add(
    "forge an exposure",
    "invalid-result",
    "frame({'kind': 'signals', 'arrays': [['exposure', 'f8', len(bars)]]}, np.full(len(bars), 1e9).tobytes())",
    FRAME,
)
add(
    "forge a level",
    "invalid-result",
    "n = len(bars); frame({'kind': 'signals', 'arrays': [['exposure', 'f8', n], ['stop', 'f8', n]]}, np.full(2 * n, -1.0).tobytes())",
    FRAME,
)
add(
    "forge fills",
    "invalid-result",
    "n = len(bars); frame({'kind': 'signals', 'arrays': [['exposure', 'f8', n], ['equity', 'f8', n]]}, bytes(16 * n))",
    FRAME,
)
add("forge a length", "invalid-result", "frame({'kind': 'signals', 'arrays': [['exposure', 'f8', 10 ** 12]]})", FRAME)
add("forge a negative length", "invalid-result", "frame({'kind': 'signals', 'arrays': [['exposure', 'f8', -1]]})", FRAME)
add("forge a type", "invalid-result", "frame({'kind': 'signals', 'arrays': [['exposure', 'O', 1]]}, bytes(8))", FRAME)
add("forge a reason", "invalid-result", "frame({'kind': 'error', 'reason': 'boundary', 'message': 'x', 'arrays': []})", FRAME)
add("forge a kind", "invalid-result", "frame({'kind': 'declaration', 'arrays': []})", FRAME)
add("forge a deep header", "invalid-result", "frame(b'[' * 60000)", FRAME)
add("forge a header of numbers", "invalid-result", "frame(b'9' * 20000)", FRAME)
add("forge a header that is no text", "invalid-result", "frame(bytes([255]) * 100)", FRAME)
add("forge a long header", "invalid-result", "os.write(4, struct.pack('<4sIQ', b'CXF1', 1 << 31, 0)); time.sleep(60)")
add("forge gigabytes", "output", "os.write(4, struct.pack('<4sIQ', b'CXF1', 2, 1 << 40)); time.sleep(60)")
add("write garbage", "invalid-result", "os.write(4, os.urandom(65536)); time.sleep(60)")
add("write half an answer", "timeout", "os.write(4, b'CXF1'); time.sleep(60)")
add("close the pipe", "error", "os.close(4); time.sleep(60)")
add("close everything", "forbidden error", "os.closerange(0, 64); time.sleep(60)")
add("pretend that it was not armed", "forbidden", "os.write(8, b'E1234'); won()")
add("patch the encoder", "invalid-result", "import strategies.sandbox.inside.wire as w; w.encode = lambda *a: [b'x' * 100]")
add(
    "patch the checks",
    "invalid-result",
    "import strategies.sandbox.inside.drivers.signals as d; d.levels = lambda a, n: {'exposure': a}\nreturn np.full(len(bars), 1e9)",
)
add(
    "patch the contract",
    "error invalid-result ok",
    "import strategies.contract as c; c.validate = None; sys.modules['numpy'] = None",
)
add("work after it returned", "ok", "import atexit; atexit.register(won)")
add("work when it is forgotten", "ok", "class D:\n    def __del__(self): won()\nkept.append(D())", "kept = []")
add("stop", "error", "sys.exit(0)")
add("stop at once", "error", "os._exit(0)")
add("stop as if there were no boundary", "error", "os._exit(111)")
add("interrupt", "error", "raise KeyboardInterrupt")

# --- output -----------------------------------------------------------------------------------------------------------------------
add("print without end", "output", "while True: print('x' * 1000)")
add("print a hundred megabytes", "output memory", "print('x' * 100_000_000)")
add("write errors without end", "output", "while True: sys.stderr.write('x' * 1000)")
add("write past Python", "output", "while True: os.write(1, b'x' * 4096)")
add("flood the trace", "timeout ok", "[os.write(3, b'File \"strategy.py\", line 1\\n' * 1000) for _ in range(1000)]")
add("raise a long text", "error", "raise ValueError('<script>alert(1)</script>' * 10 ** 6)")
add("raise with a text that raises", "error", "class E(Exception):\n    def __str__(self): raise self\nraise E")
add(
    "raise with a text that never ends",
    "timeout",
    "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
)
add("raise a long name", "error", "raise type('x' * 10 ** 6, (Exception,), {})('y')")

# --- when the file is read -------------------------------------------------------------------------------------------------------
add("loop while imported", "timeout", "", "while True: pass")
add("read while imported", "forbidden", "", "open('/etc/passwd').read(); won()", needs_boundary=True)
add("stop while imported", "error", "", "os._exit(0)")
add(
    "attack while declared",
    "timeout",
    "",
    "class Base(type):\n    def __new__(*a):\n        while True: pass\nclass X(metaclass=Base): pass",
)
add("import from a file", "error", "", "import evil")
raw("no strategy", "error", "x = 1")
raw("two strategies", "error", program("") + program("").replace("class Mine", "class Other"))
raw("does not parse", "error", "def (")
raw("holds NUL", "error", "x = '\0'")
raw("nests without end", "error memory", "x = " + "(" * 50_000 + ")" * 50_000)
raw("nests calls", "error memory", "x = " + "-" * 100_000 + "1")
raw("is too long", "error", "# " + "x" * 400_000)
raw("holds half a character", "error", "x = '\ud800'")
raw("is empty", "error", "")
