"""The filters, run by a small BPF interpreter: what they answer on both architectures, whatever is called."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from strategies.sandbox.inside import seccomp
from strategies.sandbox.inside.syscalls import NUMBERS

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = tuple(ARCHITECTURE)
PID = 42
DANGEROUS = (
    "socket socketpair connect bind ptrace mount umount2 pivot_root"
    " execve execveat setuid setgid io_uring_setup bpf memfd_create unshare"
    " setns kexec_load reboot init_module keyctl perf_event_open userfaultfd process_vm_readv pidfd_open sendmsg recvmsg"
    " setrlimit rename symlink unlink mkdir mknod truncate ftruncate shmget msgget mq_open personality seccomp chroot"
)
# From the kernel's tables, for calls that the filters do not name: x86-64, aarch64.
NUMBERS_OF_OTHERS = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "ptrace": (101, 117), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "execve": (59, 221), "execveat": (322, 281),
    "setuid": (105, 146), "setgid": (106, 144),
    "io_uring_setup": (425, 425), "bpf": (321, 280), "memfd_create": (319, 279), "unshare": (272, 97), "setns": (308, 268),
    "kexec_load": (246, 104), "reboot": (169, 142), "init_module": (175, 105), "keyctl": (250, 219),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "process_vm_readv": (310, 270), "rename": (82, None),
    "symlink": (88, None), "unlink": (87, None), "mkdir": (83, None), "mknod": (133, None), "truncate": (76, 45),
    "ftruncate": (77, 46), "shmget": (29, 194), "msgget": (68, 186), "mq_open": (240, 180), "personality": (135, 92),
    "chroot": (161, 51),
}  # fmt: skip


def answer(program: bytes, machine: str, number: int, arguments: tuple[int, ...] = (), architecture: int | None = None) -> int:
    """What the kernel would do: a classic BPF machine with the four instructions that the filters use."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    arch = ARCHITECTURE[machine] if architecture is None else architecture
    data = struct.pack("<IIQ6Q", number, arch, 0, *padded)
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            at += if_true if holds else if_false


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    return request.param


def child(machine: str) -> bytes:
    return seccomp.compile_filter(seccomp.child_rules(PID), machine)


def number(call: str, machine: str) -> int | None:
    return NUMBERS.get(call, NUMBERS_OF_OTHERS.get(call, (None, None)))[MACHINES.index(machine)]


@pytest.mark.parametrize("call", DANGEROUS.split())
def test_a_strategy_may_not(machine: str, call: str) -> None:
    if (known := number(call, machine)) is not None:
        assert answer(child(machine), machine, known) == seccomp.TRAP


@given(some.integers(0, 0x3FFFFFFF), some.tuples(*[some.integers(0, 2**64 - 1)] * 6), some.sampled_from(MACHINES))
def test_what_is_not_named_is_trapped(call: int, arguments: tuple[int, ...], machine: str) -> None:
    named = {numbers[MACHINES.index(machine)] for numbers in NUMBERS.values()}
    if call not in named:
        assert answer(child(machine), machine, call, arguments) == seccomp.TRAP


@given(some.integers(0, 2**32 - 1), some.sampled_from(MACHINES))
def test_calls_of_another_architecture_kill(call: int, machine: str) -> None:
    assert answer(child(machine), machine, call, architecture=0x40000003) == seccomp.KILL


@given(some.integers(0x40000000, 2**32 - 1))
def test_x32_kills(call: int) -> None:
    assert answer(child("x86_64"), "x86_64", call) == seccomp.KILL


@given(some.integers(0, 2**64 - 1), some.sampled_from(MACHINES), some.sampled_from(("kill", "tgkill")))
def test_it_may_signal_itself_alone(pid: int, machine: str, call: str) -> None:
    expected = seccomp.ALLOW if pid & 0xFFFFFFFF == PID else seccomp.TRAP
    assert answer(child(machine), machine, number(call, machine), (pid, 9)) == expected


@given(some.integers(0, 2**31 - 1), some.sampled_from(MACHINES))
def test_files_are_opened_to_read_alone(flags: int, machine: str) -> None:
    writes = flags & 3 or flags & (0o100 | 0o1000 | 0o20000000)
    expected = seccomp.ERRNO | seccomp.EACCES if writes else seccomp.ALLOW
    assert answer(child(machine), machine, number("openat", machine), (0, 0, flags)) == expected


@given(some.integers(0, 2**64 - 1), some.sampled_from(MACHINES))
def test_limits_are_read_and_never_set(pointer: int, machine: str) -> None:
    expected = seccomp.ALLOW if pointer == 0 else seccomp.TRAP
    assert answer(child(machine), machine, number("prlimit64", machine), (0, 9, pointer)) == expected


@given(some.integers(0, 64), some.sampled_from(MACHINES))
def test_only_its_own_faults_can_be_handled(signal: int, machine: str) -> None:
    expected = seccomp.ALLOW if signal in seccomp.FAULTS else seccomp.ERRNO | seccomp.EPERM
    assert answer(child(machine), machine, number("rt_sigaction", machine), (signal,)) == expected


def test_nobody_forks_in_a_run_and_the_zygote_makes_no_namespace(machine: str) -> None:
    clone = number("clone", machine)
    assert answer(child(machine), machine, clone, (17,)) == seccomp.ERRNO | seccomp.EPERM
    zygote = seccomp.compile_filter(seccomp.zygote_rules(), machine)
    assert answer(zygote, machine, clone, (0x01200011,)) == seccomp.ALLOW
    assert answer(zygote, machine, clone, (0x10000011,)) == seccomp.TRAP
    assert answer(zygote, machine, number("execve", machine)) == seccomp.TRAP
    assert answer(zygote, machine, number("socket", machine)) == seccomp.TRAP


def test_an_unknown_machine_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp.os, "uname", lambda: type("U", (), {"machine": "riscv64"}))
    with pytest.raises(OSError, match="no seccomp filter for riscv64"):
        seccomp.machine()
