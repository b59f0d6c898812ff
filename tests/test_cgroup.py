"""Cores and memory are counted as the cgroup grants them."""

import os
from pathlib import Path

import pytest

from stream.cgroup import memory_limit_bytes, usable_cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_without_a_cgroup_affinity_decides(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 8


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8)],
)
def test_a_quota_of_version_2(tmp_path: Path, quota: str, cores: int) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", quota + "\n")

    assert usable_cores(tmp_path) == cores


def test_the_least_quota_on_the_way_up_decides(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/pods/ours\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", "max 100000\n")
    write(tmp_path, "sys/fs/cgroup/pods/cpu.max", "300000 100000\n")
    write(tmp_path, "sys/fs/cgroup/pods/ours/cpu.max", "600000 100000\n")

    assert usable_cores(tmp_path) == 3


def test_a_quota_of_version_1(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "12:memory:/x\n4:cpuacct,cpu:/docker/abc\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")

    assert usable_cores(tmp_path) == 4


def test_an_unlimited_quota_of_version_1(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "4:cpu,cpuacct:/\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")

    assert usable_cores(tmp_path) == 8


def test_this_machine_has_some() -> None:
    assert 1 <= usable_cores() <= 8


@pytest.mark.parametrize(("limit", "bytes_"), [("268435456", 268_435_456), ("max", 0), ("", 0)])
def test_the_memory_of_version_2(tmp_path: Path, limit: str, bytes_: int) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, "sys/fs/cgroup/memory.max", limit + "\n")

    assert memory_limit_bytes(tmp_path) == bytes_


@pytest.mark.parametrize(("limit", "bytes_"), [("134217728", 134_217_728), ("9223372036854771712", 0)])
def test_the_memory_of_version_1(tmp_path: Path, limit: str, bytes_: int) -> None:
    write(tmp_path, "proc/self/cgroup", "12:memory:/docker/abc\n4:cpuacct,cpu:/docker/abc\n")
    write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", limit + "\n")

    assert memory_limit_bytes(tmp_path) == bytes_
