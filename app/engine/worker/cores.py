"""How many threads computing is worth: the physical cores this process may use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def physical_cores() -> int:
    """Physical cores, not hyper-threads, within the affinity mask and the container's quota; at least 1.

    Decoding waits for memory, so a second thread on a core only adds waiting. Where the topology cannot be read, half
    of the logical processors.
    """
    cores = (os.cpu_count() or 2) // 2
    if sys.platform == "linux":
        cores = len({_siblings(cpu) for cpu in os.sched_getaffinity(0)})
        cores = min(cores, _quota(cores))
    elif sys.platform == "darwin":
        # Efficiency cores slow every matrix product down to their own speed.
        for name in ("hw.perflevel0.physicalcpu", "hw.physicalcpu"):
            answer = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
            if answer.returncode == 0 and answer.stdout.strip().isdigit():
                cores = int(answer.stdout)
                break
    return max(cores, 1)


def _siblings(cpu: int) -> str:
    try:
        return (_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def _quota(otherwise: int) -> int:
    try:
        limit, period = _QUOTA.read_text().split()
        return otherwise if limit == "max" else max(int(limit) // int(period), 1)
    except (OSError, ValueError):
        return otherwise
