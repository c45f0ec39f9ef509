"""Parts of the sandbox that can be checked by themselves: filter programs, groups, limits of an answer."""

from __future__ import annotations

import re
import struct
from errno import ENOSYS, EPERM
from pathlib import Path

import pytest

from inference.sandbox.cgroups import own_groups
from inference.sandbox.seccomp import NUMBERS, filter_program, refused_calls

ALLOW, ERRNO, KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
X86, ARM = 0xC000_003E, 0xC000_00B7
HEADERS = (
    (0, Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")),
    (1, Path("/usr/include/asm-generic/unistd.h")),
)


def answered(program: bytes, call: int, arguments: tuple[int, ...] = (), architecture: int = X86) -> int:
    """What the kernel would answer: the program run by a small machine of our own."""
    padded = [*arguments, *([0] * (6 - len(arguments)))]
    memory = struct.pack("=IIQ6Q", call, architecture, 0, *padded)
    place = accumulator = 0
    while True:
        code, jump_true, jump_false, value = struct.unpack_from("=HBBI", program, 8 * place)
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", memory, value)[0]
        elif code == 0x54:
            accumulator &= value
        elif code == 0x15:
            place += jump_true if accumulator == value else jump_false
        elif code == 0x35:
            place += jump_true if accumulator >= value else jump_false
        else:
            assert code == 0x06
            return int(value)


@pytest.mark.parametrize(("machine", "architecture", "column"), [("x86_64", X86, 0), ("aarch64", ARM, 1)])
def test_the_filter_refuses_what_is_listed_and_nothing_else(machine: str, architecture: int, column: int) -> None:
    rules = refused_calls(process=77)
    program = filter_program(rules, machine)
    always = {NUMBERS[rule.call][column]: rule.error for rule in rules if not rule.where}
    sometimes = {NUMBERS[rule.call][column] for rule in rules if rule.where}
    for call in range(463):
        if call not in sometimes:
            expected = ERRNO | always[call] if call in always else ALLOW
            assert answered(program, call, architecture=architecture) == expected, call
    assert answered(program, 463, architecture=architecture) == ERRNO | ENOSYS
    assert answered(program, 0, architecture=ARM if architecture == X86 else X86) == KILL
    assert answered(program, 0x4000_0000 + 41, architecture=architecture) == KILL


@pytest.mark.parametrize(
    ("call", "arguments", "refused"),
    [
        ("clone", (0x0001_0000 | 0x100,), False), ("clone", (17,), True), ("clone", (0x1000_0000,), True),
        ("kill", (77, 9), False), ("kill", (78, 9), True), ("kill", (0, 9), True), ("kill", (2**32 - 1, 9), True),
        ("tgkill", (77, 78, 6), False), ("tgkill", (1, 1, 6), True), ("prctl", (1, 0), True), ("prctl", (15, 0), False),
        ("openat", (0, 0, 0o1000), True), ("openat", (0, 0, 0o1001), False), ("openat", (0, 0, 0), False),
        ("open", (0, 0o1000), True), ("open", (0, 0o1002), False), ("prlimit64", (0, 7), False),
        ("prlimit64", (5, 7), True), ("fcntl", (3, 8), True), ("fcntl", (3, 1), False), ("fcntl", (3, 10), True),
        ("ioctl", (0, 0x5412), True), ("ioctl", (0, 0x5401), False),
        ("ioctl", (0, 0x5412 | 1 << 32), True),  # the kernel reads the lower half alone
    ],
)  # fmt: skip
def test_the_filter_looks_at_arguments(call: str, arguments: tuple[int, ...], refused: bool) -> None:
    program = filter_program(refused_calls(process=77), "x86_64")
    number = NUMBERS[call][0]
    assert number is not None
    assert answered(program, number, arguments) == (ERRNO | EPERM if refused else ALLOW)


@pytest.mark.parametrize(("column", "header"), HEADERS)
def test_the_numbers_are_those_of_the_kernels_headers(column: int, header: Path) -> None:
    if not header.exists():
        pytest.skip("needs the C library's development headers")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text(encoding="utf-8"))
    numbers = {name: int(number) for name, number in found}
    known = {name: pair[column] for name, pair in NUMBERS.items() if name in numbers}
    assert len(known) > 80
    assert {name: numbers[name] for name in known} == known


def test_our_groups_are_found_in_both_versions() -> None:
    mounts = (
        "34 31 0:34 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "35 31 0:35 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
        "36 31 0:36 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "37 31 0:37 / /proc rw - proc proc rw\n"
    )
    groups = "8:pids:/docker/abc\n4:memory:/session/1\n3:cpu:/x\n0::/user.slice/a\n"
    assert own_groups(mounts, groups) == {
        "pids": Path("/sys/fs/cgroup/pids"),
        "memory": Path("/sys/fs/cgroup/memory/session/1"),
        "": Path("/sys/fs/cgroup/unified/user.slice/a"),
    }
    assert own_groups("", groups) == {}
