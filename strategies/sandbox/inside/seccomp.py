"""Owns the seccomp filters: allow-lists compiled to BPF by hand and installed with ``prctl``.

Two filters stand on each other. The zygote's admits what a forking server needs; the child's, installed after the fork
and before a line of the user's code is read, takes away forking, signals to others, messages with file descriptors and
everything else that running a strategy does not need. The kernel applies the stricter answer of the two.

What is not listed is trapped: the call is not made, SIGSYS ends the process, and ``faulthandler`` says on which line
of the user's file it happened. Calls of another architecture (int80, x32) kill without ado.
"""

import ctypes
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from strategies.sandbox.inside.syscalls import NUMBERS

ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column in NUMBERS, AUDIT_ARCH_…
X32: Final = 0x40000000

KILL: Final = 0x80000000
TRAP: Final = 0x00030000
ALLOW: Final = 0x7FFF0000
ERRNO: Final = 0x00050000
EPERM, ECHILD, EACCES, EINVAL, ENOTTY, ENOSYS = 1, 10, 13, 22, 25, 38

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGS_AT = 0, 4, 16

NEW_NAMESPACE: Final = 0x7E020080  # CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}
WRITING: Final = 0o3 | 0o100 | 0o1000 | 0o20000000 & ~0o200000  # O_WRONLY|O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE's own bit
FAULTS: Final = (4, 6, 7, 8, 11, 31)  # SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS
QUESTIONS_TO_FCNTL: Final = (0, 1, 2, 3, 1030, 1032, 1034)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, …_CLOEXEC, pipe size, seals


@dataclass(frozen=True)
class Rule:
    """``call`` answers ``action``; with ``argument``, only if its low 32 bits pass, else ``otherwise``.

    ``values``: it must equal one of them. ``without``: none of these bits may be set. ``zero``: all 64 bits must be 0.
    """

    call: str
    action: int = ALLOW
    argument: int | None = None
    values: tuple[int, ...] = ()
    without: int = 0
    zero: bool = False
    otherwise: int = TRAP


def _plain(calls: str, action: int = ALLOW) -> list[Rule]:
    return [Rule(call, action) for call in calls.split()]


_COMPUTING: Final = _plain(
    "read write futex mmap munmap mprotect madvise clock_gettime close lseek fstat newfstatat brk mremap readv writev pread64"
    " clock_getres clock_nanosleep nanosleep gettimeofday time sched_yield getpid gettid getppid getuid geteuid getgid"
    " getegid getcwd stat lstat statx access faccessat faccessat2 readlink readlinkat getdents64 getdents dup dup2 dup3"
    " getrandom exit exit_group rt_sigprocmask rt_sigreturn sigaltstack getrusage times uname sysinfo getrlimit poll ppoll"
    " select pselect6 sched_getaffinity getpriority restart_syscall getcpu statfs fstatfs set_robust_list set_tid_address"
)


def child_rules(pid: int) -> list[Rule]:
    """What the process that runs a strategy may do; ``pid`` is its own, the only one it may signal."""
    return [
        *_COMPUTING,
        Rule("openat", argument=2, without=WRITING, otherwise=ERRNO | EACCES),
        Rule("open", argument=1, without=WRITING, otherwise=ERRNO | EACCES),
        Rule("fcntl", argument=1, values=QUESTIONS_TO_FCNTL, otherwise=ERRNO | EPERM),
        # faulthandler restores the default handler of these to end the process; no other signal can be caught.
        Rule("rt_sigaction", argument=0, values=FAULTS, otherwise=ERRNO | EPERM),
        Rule("kill", argument=0, values=(pid,)),
        Rule("tgkill", argument=0, values=(pid,)),
        Rule("prlimit64", argument=2, zero=True),
        # Asked by libraries on their way to something else; a refusal that they understand keeps them quiet.
        *_plain("clone fork vfork prctl rseq membarrier mlock munlock sched_setaffinity arch_prctl", ERRNO | EPERM),
        *_plain("clone3 openat2", ERRNO | ENOSYS),
        *_plain("wait4 waitid", ERRNO | ECHILD),
        *_plain("ioctl", ERRNO | ENOTTY),
    ]


def zygote_rules() -> list[Rule]:
    """What the forking server inside the jail may do. It runs none of the users' code."""
    return [
        *_COMPUTING,
        *_plain("openat open fcntl rt_sigaction prlimit64 setrlimit recvmsg sendmsg sendto recvfrom getsockopt getsockname"),
        *_plain("pidfd_open wait4 waitid close_range prctl seccomp fork vfork kill tgkill rseq"),
        Rule("clone", argument=0, without=NEW_NAMESPACE),
        Rule("socketpair", argument=0, values=(1,)),  # AF_UNIX: to hand a request to a child
        *_plain("clone3 openat2", ERRNO | ENOSYS),
        *_plain("ioctl", ERRNO | ENOTTY),
        *_plain("membarrier mlock munlock sched_setaffinity arch_prctl", ERRNO | EPERM),
    ]


def compile_filter(rules: Sequence[Rule], machine: str) -> bytes:
    """The BPF program of ``rules`` for ``machine`` ("x86_64" or "aarch64"), eight bytes an instruction."""
    column, architecture = ARCHITECTURES[machine]
    program = [(_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    if machine == "x86_64":
        program += [(_AT_LEAST, 0, 1, X32), (_RETURN, 0, 0, KILL)]
    for rule in rules:
        number = NUMBERS[rule.call][column]
        if number is None:
            continue
        block = _block(rule)
        program += [(_EQUAL, 0, len(block), number), *block]
    program.append((_RETURN, 0, 0, TRAP))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _block(rule: Rule) -> list[tuple[int, int, int, int]]:
    if rule.argument is None:
        return [(_RETURN, 0, 0, rule.action)]
    low = (_LOAD, 0, 0, _ARGS_AT + 8 * rule.argument)
    accept, refuse = (_RETURN, 0, 0, rule.action), (_RETURN, 0, 0, rule.otherwise)
    if rule.zero:
        high = (_LOAD, 0, 0, _ARGS_AT + 8 * rule.argument + 4)
        return [low, (_EQUAL, 0, 3, 0), high, (_EQUAL, 0, 1, 0), accept, refuse]
    if rule.without:
        return [low, (_ANY_BIT, 1, 0, rule.without), accept, refuse]
    tests = [(_EQUAL, len(rule.values) - i, 0, value & 0xFFFFFFFF) for i, value in enumerate(rule.values)]
    return [low, *tests, refuse, accept]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_libc = ctypes.CDLL(None, use_errno=True)


def install(program: bytes) -> None:
    """Put this process under ``program`` for the rest of its life. Raises OSError if the kernel refuses."""
    code = ctypes.create_string_buffer(program, len(program))
    wanted = _Program(len(program) // 8, ctypes.addressof(code))
    zero = ctypes.c_ulong(0)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        raise OSError(ctypes.get_errno(), "the kernel refused no_new_privs")
    if _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(wanted), zero, zero):
        raise OSError(ctypes.get_errno(), "the kernel refused the seccomp filter")


def machine() -> str:
    """This machine's name as ``ARCHITECTURES`` has it. Raises OSError for another."""
    name = os.uname().machine
    if name not in ARCHITECTURES:
        raise OSError(ENOSYS, f"no seccomp filter for {name}; there is one for {' and '.join(ARCHITECTURES)}")
    return name
