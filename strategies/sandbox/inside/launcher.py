"""Our own namespace launcher: builds the jail with system calls and becomes the zygote in it.

Run as a file of its own by a fresh interpreter, on the outside, before anything of a user's exists:
``python -s -S -P launcher.py '{"root": …, "binds": [[source, target], …], "masks": […], "argv": […], "env": {…}}'``.

Started by root it makes the namespaces first and then ceases to be root for good (uid 65534 outside as well as inside),
so that files only root may read stay closed even through a mistake in the list of binds. Started by an ordinary user it
makes a user namespace that maps that user alone.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

NEW_MOUNTS, NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
ALL = NEW_MOUNTS | NEW_CGROUP | NEW_UTS | NEW_IPC | NEW_PID | NEW_NET
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 2, 4, 0x1000, 0x4000, 0x40000, 2
MOUNT_SETATTR, AT_RECURSIVE = 442, 0x8000
READ_ONLY_NOSUID_NODEV = 1 | 2 | 4
AT_FDCWD = -100
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CAPSET = {"x86_64": 126, "aarch64": 91}
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 1, 24, 38, 47, 4
NOBODY = 65534

libc = ctypes.CDLL(None, use_errno=True)


def must(result: int, what: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise SystemExit(f"sandbox: {what}: {os.strerror(error)}")


def unshare(flags: int, what: str) -> None:
    must(libc.unshare(ctypes.c_int(flags)), f"unshare {what}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    words = (word.encode() for word in (source, target, kind))
    must(libc.mount(*words, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def read_only(target: str, *, recursive: bool = True) -> None:
    # Adds to the flags that the mount has: those that a more privileged namespace locked stay as they are.
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY_NOSUID_NODEV, 0, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    must(
        libc.syscall(MOUNT_SETATTR, AT_FDCWD, target.encode(), flags, attributes, ctypes.c_size_t(32)),
        f"make {target} read-only (needs Linux 5.12)",
    )


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def build(root: str, binds: list[list[str]], masks: list[str]) -> None:
    """A root of ``binds`` alone, read-only, in place of the old one."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
    for source, inside in binds:
        target = root + inside
        if Path(source).is_dir():
            Path(target).mkdir(0o755, parents=True, exist_ok=True)
        else:
            Path(target).parent.mkdir(0o755, parents=True, exist_ok=True)
            Path(target).touch(0o644)
        mount(source, target, "", MS_BIND | MS_REC)
        read_only(target)
    for inside in masks:
        if Path(root + inside).is_dir():
            mount("tmpfs", root + inside, "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,nr_inodes=2,mode=555")
            read_only(root + inside)
    os.chdir(root)
    must(libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    must(libc.umount2(b".", MNT_DETACH), "leave the old root")
    os.chdir("/")
    read_only("/", recursive=False)
    libc.sethostname(b"jail", 4)


def drop_everything() -> None:
    """No capability in any set, no way to gain one."""
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # past the last one that this kernel knows
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    must(libc.syscall(CAPSET[os.uname().machine], header, (ctypes.c_uint32 * 6)()), "drop capabilities")
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def enter(plan: dict, *, as_root: bool) -> None:
    """In the child that is process 1 of the new namespaces: never returns."""
    build(plan["root"], plan["binds"], plan["masks"])
    if as_root:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        unshare(NEW_USER, "user")  # no ids are mapped into it: nothing in it is anybody
    drop_everything()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.execve(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606


def main() -> int:
    plan = json.loads(sys.argv[1])
    as_root = os.geteuid() == 0 and libc.unshare(ctypes.c_int(ALL)) == 0
    if not as_root:
        user, group = os.geteuid(), os.getegid()
        unshare(NEW_USER | ALL, "namespaces")
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{NOBODY} {user} 1")
        write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    child = os.fork()
    if child == 0:
        try:
            enter(plan, as_root=as_root)
        finally:
            os._exit(1)
    os.closerange(3, 256)
    with contextlib.suppress(KeyboardInterrupt):
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) & 0xFF
    return 1


if __name__ == "__main__":
    sys.exit(main())
