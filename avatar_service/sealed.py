"""Taking rights away from a process for good: no network, no program, no file but to read.

For decoders, whose input comes from strangers: code that a file makes a decoder run can answer by
the process's pipe, and nothing else. A seccomp filter (Linux, x86-64 and ARM64) refuses the calls
with EPERM; it holds for all threads, and whoever is under it cannot take it off.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from seccompy import Filter

REFUSED: Final = """
    socket connect bind listen accept accept4 sendto sendmsg sendmmsg

    execve execveat fork vfork

    creat truncate ftruncate fallocate rename renameat renameat2 link linkat symlink symlinkat
    unlink unlinkat mkdir mkdirat rmdir mknod mknodat chmod fchmod fchmodat fchmodat2 chown fchown
    lchown fchownat utime utimes utimensat futimesat setxattr lsetxattr fsetxattr setxattrat
    removexattr lremovexattr fremovexattr removexattrat open_by_handle_at
    shmget shmat msgget semget mq_open memfd_create

    kill tkill rt_sigqueueinfo rt_tgsigqueueinfo ptrace process_vm_readv process_vm_writev
    process_madvise pidfd_open pidfd_getfd pidfd_send_signal kcmp

    io_uring_setup bpf perf_event_open userfaultfd keyctl add_key request_key mount umount2
    move_mount fsopen fsmount open_tree mount_setattr pivot_root chroot unshare setns swapon reboot
    kexec_load kexec_file_load init_module finit_module delete_module personality
"""
"""By paragraph: the network; programs and processes; files made, changed or taken away, and memory
with a name; other processes; what would go round the filter, and the machine itself."""
WRITING: Final = (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND)
"""Flags of `open` with which a file could be changed."""
_CLONE_THREAD: Final = 0x10000
_X32: Final = 0x40000000
"""On x86-64 the same calls are had with this bit, where the kernel offers the x32 ABI."""
_X32_EXEC: Final = (520, 545)
"""execve and execveat have other numbers there."""


def can_seal() -> bool:
    """Whether this machine can seal a process."""
    if sys.platform != "linux":
        return False
    import seccompy

    try:
        seccompy.audit_arch()
        return seccompy.supported() and seccompy.flag_supported(seccompy.FilterFlag.TSYNC)
    except OSError:
        return False


def seal() -> None:
    """Seal this process, all threads; only where `can_seal`. Raises OSError."""
    from seccompy import Filter, FilterFlag

    rules = Filter(flags=FilterFlag.TSYNC)
    for name in REFUSED.split():
        _refuse(rules, name)
    for name, flags_at in (("open", 1), ("openat", 2)):
        for flag in WRITING:
            _refuse(rules, name, flags_at, flag, flag)
    # glibc asks for the older calls where these are not there; their flags lie in memory, which a
    # filter cannot read.
    _refuse(rules, "openat2", error=errno.ENOSYS)
    _refuse(rules, "clone3", error=errno.ENOSYS)
    _refuse(rules, "clone", 0, 0, _CLONE_THREAD)
    # abort() signals the process itself; others are none of its business.
    rules.allow("tgkill", args={0: os.getpid()})
    _refuse(rules, "tgkill")
    rules.load()


def _refuse(
    rules: Filter,
    name: str,
    argument: int | None = None,
    value: int = 0,
    mask: int = 0,
    *,
    error: int = errno.EPERM,
) -> None:
    """Refuse a call, or only where (argument & mask) == value; old ones ARM64 never had."""
    from seccompy import CmpOp, arch, syscall_nr

    try:
        number = syscall_nr(name)
    except ValueError:
        return
    args = None if argument is None else [(argument, CmpOp.MASKED_EQ, value, mask)]
    rules.errno(number, error, args=args)
    if arch() == "x86_64":
        rules.errno(number | _X32, error, args=args)
        if name == "execve":
            for other in _X32_EXEC:
                rules.errno(other | _X32, error)
