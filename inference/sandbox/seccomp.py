"""Seccomp: which system calls a process may make from now on, and no way back. Needs no privilege.

A list of what is refused, not of what is allowed: what torch, its thread libraries, onnxruntime and the GPU drivers
call differs by version and processor, and a call that is missing from an allow-list looks like a broken model. What
is refused is every way to the network, to another process, to another program, to the metadata of files that are not
ours (which landlock does not guard) and to kernel facilities that a model never needs. Calls newer than this list are
answered "not implemented".

Source: https://docs.kernel.org/userspace-api/seccomp_filter.html; numbers from the kernel's unistd headers.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from errno import ENOSYS, EPERM
from typing import Final

from inference.sandbox.system import PR_SET_SECCOMP, call

_ALLOW: Final = 0x7FFF_0000
_ERRNO: Final = 0x0005_0000
_KILL_PROCESS: Final = 0x8000_0000
_ARCHITECTURE: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_LOAD, _AND, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_LAST_KNOWN: Final = 462
_X32: Final = 0x4000_0000
_CLONE_THREAD: Final = 0x0001_0000
_PRCTL_PDEATHSIG: Final = 1
_FILE_CONTROLS: Final = (0x6600, 0x5800, 0x9400)
"""Groups of ioctl for files and file systems: they change the flags of files that are open for reading alone."""

NUMBERS: Final[dict[str, tuple[int | None, int | None]]] = {
    # network: no socket can be had at all
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # programs and processes: threads, and nothing else
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "clone": (56, 220),
    "clone3": (435, 435), "unshare": (272, 97), "setns": (308, 268), "personality": (135, 92),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kill": (62, 129), "tkill": (200, 130),
    "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "prlimit64": (302, 261),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "sched_setaffinity": (203, 122), "ioprio_set": (251, 30), "prctl": (157, 167),
    "setpgid": (109, 154), "setsid": (112, 157), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # metadata of files, which landlock does not guard, and file handles, which pass by folders
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "truncate": (76, 45), "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None),
    "mknod": (133, None), "mknodat": (259, 33), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27), "ioctl": (16, 29), "fcntl": (72, 25),
    # memory and messages that outlast a process, are not counted as its own, or are another's: ids can be guessed
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "semget": (64, 190), "semop": (65, 193), "semtimedop": (220, 192), "semctl": (66, 191), "mq_open": (240, 180),
    "mq_unlink": (241, 181), "io_setup": (206, 0),
    # the machine
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "statmount": (457, 457), "listmount": (458, 458),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "reboot": (169, 142), "sethostname": (170, 161), "setdomainname": (171, 162), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "vhangup": (153, 58), "iopl": (172, None), "ioperm": (173, None), "lookup_dcookie": (212, 18),
}  # fmt: skip
"""System call → its number on x86_64 and on aarch64; None: that processor has none of this name."""


@dataclass(frozen=True)
class Rule:
    """A refused call: all `where` must hold of its arguments (none: always); `error` is what the caller is told."""

    call: str
    where: tuple[Where, ...] = ()
    error: int = EPERM


@dataclass(frozen=True)
class Where:
    """The low 32 bits of an argument, masked, equal a value; or do not, where `unlike`."""

    argument: int
    value: int
    mask: int = 0xFFFF_FFFF
    unlike: bool = False


def refused_calls(process: int) -> list[Rule]:
    """All rules, for a process whose own id is `process`: it may still signal itself."""
    others = (Where(0, process, unlike=True),)
    another = (Where(0, 0, unlike=True),)
    truncating = os.O_TRUNC, os.O_TRUNC | os.O_ACCMODE  # truncates without the right to write, before landlock ABI 3
    special = [
        Rule("clone", (Where(0, 0, mask=_CLONE_THREAD),)),
        Rule("clone3", error=ENOSYS),  # its flags lie in memory, out of sight; the C library falls back to clone
        Rule("openat2", error=ENOSYS),
        Rule("prctl", (Where(0, _PRCTL_PDEATHSIG),)),
        Rule("open", (Where(1, truncating[0], mask=truncating[1]),)),
        Rule("openat", (Where(2, truncating[0], mask=truncating[1]),)),
        *(Rule(name, others) for name in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")),
        *(Rule(name, another) for name in ("prlimit64", "sched_setaffinity")),
        *(Rule("fcntl", (Where(1, command),)) for command in (8, 10, 15, 1024, 1026)),  # whom to signal, leases
        *(Rule("ioctl", (Where(1, command),)) for command in (0x5412, 0x541C, 0x8901, 0x8902)),  # terminals, signals
        *(Rule("ioctl", (Where(1, group, mask=0xFF00),)) for group in _FILE_CONTROLS),
    ]
    named = {rule.call for rule in special}
    return [*special, *(Rule(name) for name in NUMBERS if name not in named)]


def filter_program(rules: Iterable[Rule], machine: str) -> bytes:
    """The rules as a classic BPF program over `struct seccomp_data`, 8 bytes an instruction.

    Raises
    ------
    KeyError
        The processor is neither x86_64 nor aarch64.
    """
    column = list(_ARCHITECTURE).index(machine) if machine in _ARCHITECTURE else -1
    program = [
        (_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, _ARCHITECTURE[machine]), (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, 0), (_JUMP_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL_PROCESS),
        (_JUMP_AT_LEAST, 0, 1, _LAST_KNOWN + 1), (_RETURN, 0, 0, _ERRNO | ENOSYS),
    ]  # fmt: skip
    for rule in rules:
        number = NUMBERS[rule.call][column]
        if number is not None:
            program += _block(number, rule)
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *each) for each in program)


def _block(number: int, rule: Rule) -> Iterator[tuple[int, int, int, int]]:
    """The instructions of one rule; each failed comparison jumps behind them. The accumulator holds the number."""
    body: list[tuple[int, int, int, int]] = []
    for where in rule.where:
        body += [(_LOAD, 0, 0, 16 + 8 * where.argument), (_AND, 0, 0, where.mask), (_JUMP_EQUAL, 0, 0, where.value)]
    length = len(body) + 1
    yield (_JUMP_EQUAL, 0, length + (1 if body else 0), number)
    for place, (code, _, _, value) in enumerate(body):
        over = length - place - 1 if code == _JUMP_EQUAL else 0
        unlike = code == _JUMP_EQUAL and rule.where[place // 3].unlike
        yield (code, over if unlike else 0, 0 if unlike else over, value)
    yield (_RETURN, 0, 0, _ERRNO | rule.error)
    if body:
        yield (_LOAD, 0, 0, 0)  # the next rule compares the number again


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def refuse_calls() -> None:
    """Refuse the listed system calls to this process and its threads, for good; no_new_privs must be set before.

    Raises
    ------
    OSError
        The kernel has no filters, or does not take this one.
    """
    code = filter_program(refused_calls(os.getpid()), platform.machine())
    program = _Program(len(code) // 8, code)
    call("prctl", PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0)
