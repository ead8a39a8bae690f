"""How many threads computing is worth, on the topologies of computers that people have."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.engine.worker.cores import cpu_list, of_linux, of_windows, physical_cores


@dataclass(frozen=True)
class Topology:
    """What a computer's files say: the siblings of each processor, by core, and what tells the kinds apart."""

    groups: Sequence[str]
    capacities: Sequence[int] = ()
    clocks: Sequence[int] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    vendor: str = "GenuineIntel"

    def write(self, root: Path) -> Path:
        for group in self.groups:
            for cpu in cpu_list(group):
                self._put(root, f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", group)
        for cpu, capacity in enumerate(self.capacities):
            self._put(root, f"sys/devices/system/cpu/cpu{cpu}/cpu_capacity", str(capacity))
        for cpu, clock in enumerate(self.clocks):
            self._put(root, f"sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq", str(clock))
        for kind, cpus in self.kinds.items():
            self._put(root, f"sys/devices/{kind}/cpus", cpus)
        self._put(root, "proc/cpuinfo", f"vendor_id\t: {self.vendor}" if self.vendor else "CPU implementer\t: 0x41")
        return root

    @property
    def cpus(self) -> set[int]:
        return {cpu for group in self.groups for cpu in cpu_list(group)}

    @staticmethod
    def _put(root: Path, name: str, text: str) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def pairs(first: int, count: int) -> list[str]:
    return [f"{cpu}-{cpu + 1}" for cpu in range(first, first + 2 * count, 2)]


def apart(count: int) -> list[str]:
    return [f"{cpu},{cpu + count}" for cpu in range(count)]


def singles(first: int, count: int) -> list[str]:
    return [str(cpu) for cpu in range(first, first + count)]


COMPUTERS = {
    "laptop, 2 cores with 2 threads (i5-7200U)": (Topology(apart(2), clocks=[3_100_000] * 4), 2),
    "laptop, 4 fast and 8 small cores (i7-1260P)": (
        Topology([*pairs(0, 4), *singles(8, 8)], kinds={"cpu_core": "0-7", "cpu_atom": "8-15"}),
        4,
    ),
    "the same in a container that hides the kinds": (Topology([*pairs(0, 4), *singles(8, 8)]), 4),
    "laptop, three kinds (Core Ultra 7 155H)": (
        Topology(
            [*pairs(0, 6), *singles(12, 10)], kinds={"cpu_core": "0-11", "cpu_atom": "12-19", "cpu_lowpower": "20-21"}
        ),
        6,
    ),
    "laptop, 4 and 4 without second threads (Core Ultra 7 258V)": (
        Topology(singles(0, 8), kinds={"cpu_core": "0-3", "cpu_atom": "4-7"}),
        4,
    ),
    "laptop, full and compact cores (Ryzen AI 9 HX 370)": (
        Topology(apart(12), clocks=([5_157_000] * 4 + [3_300_000] * 8) * 2, vendor="AuthenticAMD"),
        12,
    ),
    "laptop, Apple M1 with Linux": (
        Topology(singles(0, 8), capacities=[485] * 4 + [1024] * 4, vendor=""),
        4,
    ),
    "laptop, Snapdragon X": (Topology(singles(0, 12), capacities=[1024] * 12, vendor=""), 12),
    "desktop, 6 cores (i5-12400)": (
        Topology(pairs(0, 6), clocks=[4_400_000] * 12, kinds={"cpu": "0-11"}),
        6,
    ),
    "desktop, 8 cores (Ryzen 7 5800X)": (Topology(apart(8), vendor="AuthenticAMD"), 8),
    "desktop with favoured cores (i9-10900K)": (
        Topology(apart(10), clocks=([5_300_000] * 2 + [5_100_000] * 8) * 2),
        10,
    ),
    "board, 4 big and 4 little (RK3588)": (
        Topology(singles(0, 8), capacities=[530] * 4 + [1024] * 4, vendor=""),
        4,
    ),
    "phone-like, 1 + 3 + 4": (
        Topology(singles(0, 8), capacities=[250] * 4 + [870] * 3 + [1024], vendor=""),
        4,
    ),
    "big and little that only clocks tell": (
        Topology(singles(0, 8), clocks=[1_800_000] * 4 + [2_800_000] * 4, vendor=""),
        4,
    ),
    "virtual machine, a core's two threads": (Topology(["0-1"]), 1),
    "virtual machine, a core and a half": (Topology(["0-1", "2"]), 2),
}


@pytest.mark.parametrize("name", COMPUTERS)
def test_fast_physical_cores(name: str, tmp_path: Path) -> None:
    topology, expected = COMPUTERS[name]
    assert of_linux(topology.write(tmp_path), topology.cpus) == expected


def test_only_what_this_process_may_use(tmp_path: Path) -> None:
    topology, _ = COMPUTERS["laptop, 4 fast and 8 small cores (i7-1260P)"]
    root = topology.write(tmp_path)
    assert of_linux(root, {0, 1, 2, 8}) == 2
    assert of_linux(root, {8, 9, 10}) == 3  # none of the fast ones


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"sys/fs/cgroup/cpu.max": "350000 100000"}, 3),
        ({"sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
        (
            {
                "proc/self/cgroup": "0::/user.slice/app.scope",
                "sys/fs/cgroup/user.slice/cpu.max": "200000 100000",
                "sys/fs/cgroup/user.slice/app.scope/cpu.max": "400000 100000",
            },
            2,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 4),
    ],
)
def test_the_quota_of_a_container(files: dict[str, str], expected: int, tmp_path: Path) -> None:
    topology, _ = COMPUTERS["desktop, 8 cores (Ryzen 7 5800X)"]
    root = topology.write(tmp_path)
    for name, text in files.items():
        Topology._put(root, name, text)
    assert of_linux(root, topology.cpus) == expected


def test_without_any_file_every_processor_counts(tmp_path: Path) -> None:
    assert of_linux(tmp_path, {0, 1, 2}) == 3
    assert of_linux(tmp_path, set()) == 1


def entry(relation: int, efficiency: int, groups: int = 1) -> bytes:
    size = 32 + 16 * groups
    return struct.pack("<IIBB", relation, size, 0, efficiency).ljust(size, b"\0")


def test_windows_tells_efficiency_classes() -> None:
    hybrid = b"".join([entry(0, 1)] * 6 + [entry(3, 0)] + [entry(0, 0)] * 8)
    assert of_windows(hybrid) == 6
    assert of_windows(entry(0, 0, groups=2) * 4) == 4
    assert of_windows(b"") == 0
    assert of_windows(entry(0, 0)[:8]) == 0


def test_this_computer() -> None:
    assert physical_cores() >= 1
