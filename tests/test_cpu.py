"""CPUs available to a process, from cgroup files as the kernel writes them."""

import os
from pathlib import Path

import pytest

from ppocr_serving.cpu import available_cpus, instruction_sets, supports_bfloat16

ALL_CPUS = len(os.sched_getaffinity(0))


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n", encoding="ascii")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    return tmp_path / "membership"


def test_the_affinity_mask_is_used_without_cgroups(root: Path, membership: Path) -> None:
    assert available_cpus(root, membership) == ALL_CPUS


def test_the_affinity_mask_limits_the_count(root: Path, membership: Path) -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert available_cpus(root, membership) == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(
    ("content", "cpus"),
    [
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("100001 100000", 2),
        ("150000 100000", 2),
        ("6400000 100000", 64),
        ("max 100000", ALL_CPUS),
        ("0 100000", ALL_CPUS),
        ("100000 0", ALL_CPUS),
        ("garbage", ALL_CPUS),
        ("", ALL_CPUS),
    ],
)
def test_cgroup_v2_quota_at_the_root(root: Path, membership: Path, content: str, cpus: int) -> None:
    write(membership, "0::/")
    write(root / "cpu.max", content)
    assert available_cpus(root, membership) == min(cpus, ALL_CPUS)


def test_cgroup_v2_quota_of_a_parent_group_applies(root: Path, membership: Path) -> None:
    write(membership, "0::/kubepods/pod7/container9")
    write(root / "kubepods/pod7/container9/cpu.max", "max 100000")
    write(root / "kubepods/pod7/cpu.max", "20000 100000")
    write(root / "kubepods/cpu.max", "6400000 100000")
    assert available_cpus(root, membership) == 1


def test_a_quota_of_an_unrelated_group_is_ignored(root: Path, membership: Path) -> None:
    write(membership, "0::/mine")
    write(root / "other/cpu.max", "10000 100000")
    assert available_cpus(root, membership) == ALL_CPUS


@pytest.mark.parametrize(("quota", "cpus"), [("50000", 1), ("100000", 1), ("-1", ALL_CPUS), ("", ALL_CPUS)])
@pytest.mark.parametrize("group", ["", "docker/abc"])
def test_cgroup_v1_quota(root: Path, membership: Path, group: str, quota: str, cpus: int) -> None:
    write(membership, f"11:memory:/docker/abc\n4:cpu,cpuacct:/{group}\n3:cpuset:/elsewhere")
    write(root / "cpu" / group / "cpu.cfs_quota_us", quota)
    write(root / "cpu" / group / "cpu.cfs_period_us", "100000")
    assert available_cpus(root, membership) == cpus


def test_cgroup_v1_quota_in_a_container_is_read_at_the_mount_point(root: Path, membership: Path) -> None:
    # The kernel names the group as the host sees it; inside the container only its own group is mounted.
    write(membership, "4:cpu,cpuacct:/docker/abc")
    write(root / "cpu/cpu.cfs_quota_us", "30000")
    write(root / "cpu/cpu.cfs_period_us", "100000")
    assert available_cpus(root, membership) == 1


def test_other_cgroup_v1_controllers_are_ignored(root: Path, membership: Path) -> None:
    write(membership, "3:cpuset:/tight")
    write(root / "cpu/tight/cpu.cfs_quota_us", "10000")
    write(root / "cpu/tight/cpu.cfs_period_us", "100000")
    assert available_cpus(root, membership) == ALL_CPUS


@pytest.mark.parametrize(
    ("flags", "supported"),
    [
        ("fpu avx512f avx512_bf16 sse", True),
        ("fpu amx_bf16 amx_tile", True),
        ("fpu avx2 avx512f avx512_bf16x", False),
        ("fpu avx2", False),
    ],
)
def test_bfloat16_support_is_read_from_the_cpu_flags(tmp_path: Path, flags: str, supported: bool) -> None:
    write(tmp_path / "cpuinfo", f"processor\t: 0\nmodel name\t: avx512_bf16 in a name\nflags\t\t: {flags}")
    assert supports_bfloat16(tmp_path / "cpuinfo") is supported


def test_bfloat16_is_unsupported_without_cpuinfo(tmp_path: Path) -> None:
    assert not supports_bfloat16(tmp_path / "missing")


def test_instruction_sets_are_the_processors_vector_and_matrix_flags(tmp_path: Path) -> None:
    flags = "fpu sse sse2 sse4_2 fma f16c avx512f avx avx2 amx_tile aes rdseed"
    write(
        tmp_path / "cpuinfo",
        f"processor\t: 0\nmodel name\t: avx9 in a name\nflags\t\t: {flags}\nvmx flags\t: avx7\n"
        f"processor\t: 1\nflags\t\t: {flags}",
    )
    assert instruction_sets(tmp_path / "cpuinfo") == (
        "amx_tile", "avx", "avx2", "avx512f", "f16c", "fma", "sse4_2",
    )  # fmt: skip
    assert instruction_sets(tmp_path / "missing") == ()


def test_the_instruction_sets_of_this_machine_are_found() -> None:
    assert "avx2" in instruction_sets()
