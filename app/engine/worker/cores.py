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
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MEASURED_FROM = 6
"""With fewer cores than this, the rule is as good as a measurement."""

_EQUAL = 0.6  # of the largest capacity: little cores have 0.2 to 0.53, the middle ones of three kinds 0.75 and more
_AS_FAST = 0.8  # of the highest clock: favoured cores differ by 0.05, little ones by 0.25 and more


@dataclass(frozen=True)
class Cores:
    """Physical cores that may be used: the fast ones, and all of them."""

    fast: int
    every: int

    @property
    def candidates(self) -> tuple[int, ...]:
        """Numbers of threads worth measuring, the rule's first: half of the cores can be enough to keep memory busy,
        and slow cores can help after all. Empty where the rule is good enough."""
        if self.fast < MEASURED_FROM:
            return ()
        return tuple(dict.fromkeys((self.fast, max(self.fast // 2, 4), self.every)))


def physical_cores() -> int:
    """How many threads to compute with; at least 1."""
    return cores().fast


def cores() -> Cores:
    """The cores within the affinity mask and the container's quota; at least 1 of each."""
    found = Cores(_half(), _half())
    if sys.platform == "linux":
        found = of_linux(Path("/"), os.sched_getaffinity(0))
    elif sys.platform == "darwin":
        every = _sysctl("hw.physicalcpu") or found.every
        found = Cores(_sysctl("hw.perflevel0.physicalcpu") or every, every)
    elif sys.platform == "win32":
        found = of_windows(_processor_cores()) or found
    return found


def _half() -> int:
    return max((os.cpu_count() or 2) // 2, 1)


# --- Linux --------------------------------------------------------------------------------------------------------


def of_linux(root: Path, allowed: Collection[int]) -> Cores:
    """The cores of these processors by the kernel's files, which lie in `root`."""
    siblings = {cpu: _siblings(root, cpu) for cpu in allowed}
    fast = _fast(root, siblings) or set(allowed)
    limit = _quota(root)
    counts = len({siblings[cpu] for cpu in fast}), len(set(siblings.values()))
    return Cores(*(max(min(count, limit), 1) for count in counts))


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
    threads = {cpu: len(group) for cpu, group in siblings.items()}
    if len(set(threads.values())) > 1:  # Intel, where a container hides the kinds: only fast cores have two threads
        return {cpu for cpu, count in threads.items() if count == max(threads.values())}
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
    places = [PurePosixPath("/")]
    for line in _read(root / "proc/self/cgroup").splitlines():
        if line.startswith("0::/"):
            place = PurePosixPath(line[3:])
            places += [place, *place.parents]
    for place in set(places):
        limit, _, period = _read(root / "sys/fs/cgroup" / place.relative_to("/") / "cpu.max").partition(" ")
        if limit.isdigit() and period.strip().isdigit() and int(period):
            limits.append(int(limit) // int(period))
    quota = _read(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip()  # the older kind of control groups
    period = _read(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit() and int(period):
        limits.append(int(quota) // int(period))
    return max(min(limits), 1)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


# --- macOS, Windows -----------------------------------------------------------------------------------------------


def _sysctl(name: str) -> int:
    done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else 0


def of_windows(answer: bytes) -> Cores | None:
    """The cores in what GetLogicalProcessorInformationEx answers for them (winnt.h); None for nothing.

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
    return Cores(classes.count(max(classes)), len(classes)) if classes else None


if sys.platform == "win32":

    def _processor_cores() -> bytes:
        import ctypes

        size = ctypes.c_ulong()
        ask = ctypes.windll.kernel32.GetLogicalProcessorInformationEx
        ask(0, None, ctypes.byref(size))
        answer = ctypes.create_string_buffer(size.value)
        return answer.raw if ask(0, answer, ctypes.byref(size)) else b""
