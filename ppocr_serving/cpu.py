"""CPUs and instruction sets available to this process."""

import math
import os
from functools import cache
from pathlib import Path

__all__ = ["available_cpus", "instruction_sets", "supports_bfloat16"]

_CGROUP_ROOT = Path("/sys/fs/cgroup")


def available_cpus(cgroup_root: Path = _CGROUP_ROOT, membership: Path = Path("/proc/self/cgroup")) -> int:
    """Count the CPUs that this process may use.

    Args:
        cgroup_root: Where the cgroup file system (version 1 or 2) is mounted.
        membership: The kernel's list of the cgroups that this process belongs to.

    Returns:
        The smaller of the scheduler's affinity mask and the CPU quotas of all enclosing cgroups, rounded up; at
        least 1. `os.cpu_count()` would count those of the entire machine, even in a container limited to half a CPU.
    """
    limits = [float(len(os.sched_getaffinity(0))), *_cgroup_quotas(cgroup_root, membership)]
    return max(1, math.ceil(min(limits)))


def _cgroup_quotas(root: Path, membership: Path) -> list[float]:
    folders = [root, root / "cpu"]
    for line in _read(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        base = root if not controllers else root / "cpu"
        if not controllers or "cpu" in controllers.split(","):
            group = base / path.lstrip("/")
            folders += [group, *(parent for parent in group.parents if parent.is_relative_to(base))]
    quotas = []
    for folder in dict.fromkeys(folders):
        quota, _, period = _read(folder / "cpu.max").partition(" ")  # version 2: "max 100000" or "150000 100000"
        if not quota:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(quota) and int(period):  # "max" and "-1" mean no limit
            quotas.append(int(quota) / int(period))
    return quotas


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return ""


@cache
def instruction_sets(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Return the processor's vector and matrix instruction sets, sorted, as Linux names them.

    Code compiled on another processor runs here, at full speed, if both have the same sets.
    """
    flags = {
        flag
        for line in _read(cpuinfo).splitlines()
        if line.startswith("flags")
        for flag in line.partition(":")[2].split()
    }
    return tuple(sorted(flag for flag in flags if flag.startswith(("sse4", "fma", "f16c", "avx", "amx"))))


def supports_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor multiplies bfloat16 in hardware (AVX-512 BF16 or AMX).

    Elsewhere bfloat16 is emulated and slower than float32.
    """
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(instruction_sets(cpuinfo))
