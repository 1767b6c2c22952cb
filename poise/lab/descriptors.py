"""How many descriptors a process may have: an experiment that needs many asks for them, and is told what it gets."""

from __future__ import annotations

import resource

from poise.lab.experiment import Cannot
from poise.lab.text import Text

TOO_FEW = Text(
    "This needs {wanted} descriptors, and this process may have {most} at most. In a shell: ulimit -n {wanted}; for a container: "
    "docker run --ulimit nofile={wanted}.",
    "需要 {wanted} 个文件描述符，而本进程最多只能有 {most} 个。在 shell 里：ulimit -n {wanted}；在容器里：docker run --ulimit nofile={wanted}。",
)


def allow(wanted: int) -> int:
    """Raise this process's own limit as far as needed and permitted; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft


def need(wanted: int) -> None:
    """Raises Cannot, with what to do, when so many are not to be had."""
    most = allow(wanted)
    if most < wanted:
        raise Cannot(TOO_FEW.filled(wanted=wanted, most=most))
