"""The layers of the sandbox: their names, which of them confine, and which there are on this machine."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Final

from graph.errors import InputError

SWITCHES: Final = frozenset({"namespaces", "cgroups", "landlock", "seccomp", "setuid"})
"""What can be switched off, for tests and for machines on which it gives trouble."""
LAYERS: Final[dict[str, str]] = {
    "subprocess": "the model runs in a process of its own, and only its answer comes back",
    "scrubbed_env": "no variable, descriptor or memory of the caller is in it",
    "rlimits": "address space, processor time, file size, open files, processes and core dumps are bounded",
    "landlock": "it reads only the staged model and the libraries, writes only its scratch, executes nothing",
    "seccomp": "no socket, no new process or program, no signal to others, no change of files' owner or mode",
    "no_new_privs": "no program could give it more rights",
    "dropped_capabilities": "none of root's rights but, for root, to read the files that landlock allows",
    "unprivileged_user": "it runs under a user id that owns nothing",
    "user_namespace": "ids of its own, which is what lets an ordinary user have the next four",
    "net_namespace": "a network without any interface",
    "pid_namespace": "it sees no other process, and all that it starts ends with it",
    "ipc_namespace": "shared memory and queues of its own",
    "private_scratch": "its scratch lies in memory, is bounded, and is gone when it ends",
    "cgroup_memory": "memory bounded by the kernel's own count",
    "cgroup_pids": "processes and threads bounded by the kernel's own count",
}
"""Layer → what it means while it is active, as evidence records name it; landlock comes with its ABI: `landlock:7`."""
NOT_CONFINED: Final = (
    "this machine cannot confine a stranger's model (it takes landlock and seccomp): "
    "run it only if you trust it, with `--trust NAME`"
)


def confines(layers: Collection[str]) -> bool:
    """Whether these layers suffice for a model that nobody vouches for: files confined and the network denied.

    A network namespace alone does not deny it: sockets that have a path reach the machine's own services through it.
    """
    return {"landlock", "seccomp"} <= {layer.partition(":")[0] for layer in layers}


def switched_off(setting: str) -> frozenset[str]:
    """The layers that a setting like `-namespaces,-cgroups` switches off; empty for an empty one.

    Raises
    ------
    InputError
        A word is none of the switches.
    """
    words = [word.strip() for word in setting.split(",") if word.strip()]
    for word in words:
        if not word.startswith("-") or word[1:] not in SWITCHES:
            known = ", ".join(f"-{name}" for name in sorted(SWITCHES))
            raise InputError(f"setting MATCHGRAPH_SANDBOX: {word!r} is not among {known}: mend it in the environment")
    return frozenset(word[1:] for word in words)


@cache
def available_layers(without: frozenset[str] = frozenset()) -> frozenset[str]:
    """The layers that a child on this machine gets, found out by locking one down; asked once in a process.

    Raises
    ------
    ModelError
        The worker cannot be started.
    """
    from inference.sandbox.zygote import Zygote

    with Zygote([], without=without) as zygote:
        return frozenset(zygote.layers())
