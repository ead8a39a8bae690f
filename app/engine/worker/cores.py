"""How many threads computing is worth: the fast physical cores that this process may use.

Decoding waits for memory, so a second thread on a core only adds waiting; and every step of a graph waits for its
slowest thread, so slow cores beside fast ones hold all of them up. The rule reads what the system tells.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

_EQUAL = 0.6  # of the largest capacity: little cores have 0.2 to 0.53, the middle ones of three kinds 0.75 and more
_AS_FAST = 0.8  # of the highest clock: favoured cores differ by 0.05, little ones by 0.25 and more


def physical_cores() -> int:
    """How many threads to compute with, within the affinity mask and the container's quota; at least 1."""
    found = max((os.cpu_count() or 2) // 2, 1)
    if sys.platform == "linux":
        found = of_linux(Path("/"), os.sched_getaffinity(0))
    elif sys.platform == "darwin":
        found = _sysctl("hw.perflevel0.physicalcpu") or _sysctl("hw.physicalcpu") or found
    elif sys.platform == "win32":
        found = of_windows(_processor_cores()) or found
    return found


# --- Linux --------------------------------------------------------------------------------------------------------


def of_linux(root: Path, allowed: Collection[int]) -> int:
    """The fast cores among these processors by the kernel's files, which lie in `root`; all, where none of them is."""
    siblings = {cpu: _siblings(root, cpu) for cpu in allowed}
    fast = _fast(root, siblings) or siblings.keys()
    return max(min(len({siblings[cpu] for cpu in fast}), _quota(root)), 1)


def _fast(root: Path, siblings: dict[int, frozenset[int]]) -> set[int]:
    """Which processors belong to fast cores; empty where they are all alike."""
    devices = root / "sys/devices"
    if (devices / "cpu_atom").is_dir():  # Intel, two kinds
        return cpu_list(_read(devices / "cpu_core/cpus")) & siblings.keys()
    capacities = _numbers(root, siblings, "cpu_capacity")  # ARM
    if capacities:
        return {cpu for cpu, capacity in capacities.items() if capacity >= _EQUAL * max(capacities.values())}
    if "AuthenticAMD" in _read(root / "proc/cpuinfo"):
        return set()  # its compact cores are the same ones at a lower clock
    alone = {cpu for cpu, group in siblings.items() if len(group) == 1}
    if 1 < len(alone) < len(siblings):  # Intel, where a container hides the kinds: only fast cores have two threads
        return siblings.keys() - alone
    clocks = _numbers(root, siblings, "cpufreq/cpuinfo_max_freq")
    return {cpu for cpu, clock in clocks.items() if clock >= _AS_FAST * max(clocks.values())}


def _numbers(root: Path, cpus: Iterable[int], name: str) -> dict[int, int]:
    """What a file of each processor says; empty unless all of them have it."""
    found = {cpu: _read(root / f"sys/devices/system/cpu/cpu{cpu}" / name).strip() for cpu in cpus}
    return {cpu: int(text) for cpu, text in found.items()} if all(map(str.isdigit, found.values())) else {}


def _siblings(root: Path, cpu: int) -> frozenset[int]:
    said = cpu_list(_read(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
    return frozenset(said or {cpu})


def cpu_list(text: str) -> set[int]:
    """The numbers of a list as the kernel writes it, such as 0-3,8; empty for anything else."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            return set()
        found.update(range(int(first), int(last or first) + 1))
    return found


def _quota(root: Path) -> int:
    """Whole processors that the control groups of this process leave it; a large number without a limit."""
    limits = [1 << 16]
    for folder in control_groups(root):
        limit, _, period = _read(folder / "cpu.max").partition(" ")
        if limit.isdigit() and period.strip().isdigit() and int(period):
            limits.append(int(limit) // int(period))
    quota = _read(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip()  # the older kind of control groups
    period = _read(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit() and int(period):
        limits.append(int(quota) // int(period))
    return max(min(limits), 1)


def control_groups(root: Path) -> set[Path]:
    """The folders of the control groups that this process is in, the outer ones too."""
    places = [PurePosixPath("/")]
    for line in _read(root / "proc/self/cgroup").splitlines():
        if line.startswith("0::/"):
            place = PurePosixPath(line[3:])
            places += [place, *place.parents]
    return {root / "sys/fs/cgroup" / place.relative_to("/") for place in places}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


# --- macOS, Windows -----------------------------------------------------------------------------------------------


def _sysctl(name: str) -> int:
    done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else 0


def of_windows(answer: bytes) -> int:
    """The fast cores in what GetLogicalProcessorInformationEx answers for cores (winnt.h); 0 for nothing.

    Each entry: relationship and size (4 bytes each), flags and efficiency class (1 byte each). The higher the class,
    the faster the core.
    """
    classes: list[int] = []
    at = 0
    while at + 10 <= len(answer):
        relation, size, _, efficiency = struct.unpack_from("<IIBB", answer, at)
        if relation == 0:
            classes.append(efficiency)
        if size < 10:
            break
        at += size
    return classes.count(max(classes)) if classes else 0


if sys.platform == "win32":

    def _processor_cores() -> bytes:
        import ctypes

        size = ctypes.c_ulong()
        ask = ctypes.windll.kernel32.GetLogicalProcessorInformationEx
        ask(0, None, ctypes.byref(size))
        answer = ctypes.create_string_buffer(size.value)
        return answer.raw if ask(0, answer, ctypes.byref(size)) else b""
