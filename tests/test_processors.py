"""How many processors there are: no more than a container has the time of."""

import os

import pytest

from albertkit import processors

V1 = "30 24 0:26 {inside} /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct"
V2 = "31 24 0:27 {inside} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
MEMORY = "32 24 0:28 / /sys/fs/cgroup/memory rw shared:5 - cgroup cgroup rw,memory"
ROOT = "24 1 0:20 / / rw,relatime shared:1 - ext4 /dev/root rw"


def machine(root, group, mount, files):
    """A folder with /proc and /sys of a process in a control group."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    (root / "proc/self/mountinfo").write_text(f"{ROOT}\n{MEMORY}\n{mount}\n")
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize(
    ("group", "inside", "files", "expected"),
    [
        ("0::/\n", "/", {"cpu.max": "200000 100000\n"}, 2.0),  # a container with a name space of its own
        ("0::/\n", "/", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", "/", {}, None),
        ("0::/a/b\n", "/", {"a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000"}, 1.5),  # of the one above
        ("0::/a/b\n", "/", {"a/b/cpu.max": "50000 100000", "a/cpu.max": "400000 100000"}, 0.5),
        ("0::/docker/1\n", "/docker/1", {"cpu.max": "300000 100000"}, 3.0),  # mounted from the container's group on
        ("0::/../b\n", "/docker/1", {"cpu.max": "300000 100000"}, 3.0),
        ("0::/\n", "/", {"cpu.max": "broken\n"}, None),
    ],
)
def test_the_quota_of_version_2_is_that_of_the_group_and_of_those_above(tmp_path, group, inside, files, expected):
    assert processors.of_quota(machine(tmp_path, group, V2.format(inside=inside), files)) == expected


@pytest.mark.parametrize(
    ("path", "inside", "folder", "quota", "expected"),
    [
        ("/docker/1", "/docker/1", "cpu,cpuacct", "250000", 2.5),
        ("/docker/1", "/", "cpu,cpuacct/docker/1", "100000", 1.0),
        ("/docker/1", "/", "cpu,cpuacct/docker", "100000", 1.0),
        ("/docker/1", "/docker/1", "cpu,cpuacct", "-1", None),
    ],
)
def test_the_quota_of_version_1_is_found_too(tmp_path, path, inside, folder, quota, expected):
    groups = f"9:memory:/other\n4:cpu,cpuacct:{path}\n1:name=systemd:{path}\n"
    files = {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}
    assert processors.of_quota(machine(tmp_path, groups, V1.format(inside=inside), files)) == expected


def test_a_system_without_control_groups_has_no_quota(tmp_path):
    assert processors.of_quota(tmp_path) is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (2.0, 2), (1.5, 1), (0.25, 1), (100.0, 8)])
def test_there_are_whole_processors_of_the_quota_and_no_more_than_may_be_used(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(processors, "of_quota", lambda: quota)
    assert processors.count() == expected
