"""How many processors there are to compute with."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def count() -> int:
    """Those that this process may use at a time: by its affinity, and whole ones of the quota of its container."""
    quota = of_quota()
    return available() if quota is None else max(1, min(available(), int(quota)))


def available() -> int:
    """Those that this process may be put on, whatever share of their time it has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def of_quota(root: Path = Path("/")) -> float | None:
    """The processors' worth of time that the control groups of this process have (`docker run --cpus`), or None.

    The least of the group and those above it, in version 1 or 2. `root` is where /proc and /sys lie.
    """
    found = [share for folder in _groups(root) if (share := _share(folder)) is not None]
    return min(found, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the control groups that this process is in, and of those above them."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except OSError:  # another system
        return
    for mount in mounts:
        before, _, behind = mount.partition(" - ")
        kind, *_, options = behind.split(" ")
        inside, place = before.split(" ")[3:5]
        for group in groups:
            number, controllers, path = group.split(":", 2)
            is_of_mount = kind == "cgroup2" if number == "0" else kind == "cgroup" and "cpu" in options.split(",")
            if is_of_mount and (number == "0" or "cpu" in controllers.split(",")):
                yield from _upwards(root / place.lstrip("/"), inside, path)


def _upwards(mounted: Path, inside: str, path: str) -> Iterator[Path]:
    """From the folder of a group up to where its hierarchy is mounted, of which a container may see a part alone."""
    group = PurePosixPath(path)
    below = group.relative_to(inside) if group.is_relative_to(inside) else PurePosixPath()
    for one in (below, *below.parents):
        yield mounted / one


def _share(folder: Path) -> float | None:
    """The quota of a group over its period, or None where it has none."""
    with contextlib.suppress(OSError, ValueError):
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if quota != "max" and int(quota) > 0:
            return int(quota) / int(period)
    return None
