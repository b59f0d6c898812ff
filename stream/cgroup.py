"""What this process may use, of cores and of memory, as its cgroup says: not what the host has."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_NO_LIMIT_BYTES: Final = 2**60


def usable_cores(root: Path = Path("/")) -> int:
    """Whole cores, at least one; a quota of 1.5 counts as 2, since one would leave a third of it unused.

    Args:
        root: where `proc` and `sys` are found.
    """
    affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    for quota in _quotas(root):
        cores = min(cores, max(1, -int(-quota // 1)))
    return max(1, cores)


def memory_limit_bytes(root: Path = Path("/")) -> int:
    """The least limit of our cgroup and of those above it; 0: there is none.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files, and for version 1
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, whose largest number means that there is none.

    Args:
        root: where `proc` and `sys` are found.
    """
    texts = [
        _text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes") for folder in _cgroups(root, "memory")
    ]
    return min((int(text) for text in texts if text.isdigit() and int(text) < _NO_LIMIT_BYTES), default=0)


def _quotas(root: Path) -> Iterator[float]:
    """Quotas of our cgroup and of those above it, in cores.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files, and for version 1
    https://docs.kernel.org/scheduler/sched-bwc.html.
    """
    for folder in _cgroups(root, "cpu"):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield int(quota) / int(period)


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    mount = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        base = mount if not controllers else mount / controller if controller in controllers.split(",") else None
        if base is not None:
            inside = PurePosixPath(path.lstrip("/"))
            # In a container with a namespace of its own the path is "/"; without, it may not be mounted: then the
            # mount point itself is ours.
            for folder in (inside, *inside.parents):
                yield base / folder


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
