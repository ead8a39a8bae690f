"""What this computer tells of itself: processor, memory, swap, cores, battery. Looked up anew each time.

Without a dependency: from the files, the tools or the functions that each system has for it. What an engine process
must be asked (devices, speeds) is in machine.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from app.engine.hardware import Machine
from app.engine.worker.cores import control_groups, physical_cores


def cpu_name() -> str:
    """What the processor calls itself."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
            if found:
                return found[1].strip()
    if sys.platform == "darwin" and (name := _sysctl("machdep.cpu.brand_string")):
        return name
    return platform.processor() or platform.machine()


def machine() -> Machine:
    """The computer at this moment, its devices and speeds left out."""
    total, free = memory_bytes()
    swap, unused = swap_bytes()
    return Machine(
        memory_total_bytes=total,
        memory_free_bytes=free,
        swap_total_bytes=swap,
        swap_free_bytes=unused,
        cores=physical_cores(),
        logical=os.cpu_count() or 0,
        on_battery=on_battery(),
        large_pages=large_pages(),
    )


def memory_bytes() -> tuple[int, int]:
    """All main memory that this process may use, and what of it could be had now. (0, 0) where nothing tells."""
    if sys.platform == "linux":
        return _linux_memory()
    elif sys.platform == "darwin":
        return _darwin_memory()
    else:
        return _windows_memory()


def swap_bytes() -> tuple[int, int]:
    """What the system can push out of main memory to a disk, and what of it is not used. (0, 0) where it does not."""
    if sys.platform == "linux":
        found = _meminfo()
        return found.get("SwapTotal", 0), found.get("SwapFree", 0)
    elif sys.platform == "darwin":
        sizes = re.findall(r"(total|free) = ([\d.]+)M", _sysctl("vm.swapusage"))
        mib = {name: int(float(size) * 1024 * 1024) for name, size in sizes}
        return mib.get("total", 0), mib.get("free", 0)
    else:  # page files: what may be committed beyond the main memory
        status = _windows_status()
        total = max(status.total_page - status.total, 0) if status else 0
        return total, min(max(status.available_page - status.available, 0), total) if status else 0


def large_pages(told: Path = Path("/sys/kernel/mm/transparent_hugepage/enabled")) -> bool:
    """Whether what an engine process allocates comes to lie in large pages: Linux gives them to all programs, or to
    those that ask, as glibc does since 2.35 (engine/command.py). `told` is where Linux says which."""
    if sys.platform != "linux":
        return False
    line = _line(told)
    with contextlib.suppress(OSError, ValueError):  # another C library does not tell
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        asks = name == "glibc" and tuple(map(int, version.split("."))) >= (2, 35)
        return "[always]" in line or ("[madvise]" in line and asks)
    return "[always]" in line


def on_battery(root: Path = Path("/sys/class/power_supply")) -> bool | None:
    """Whether the computer lives off its battery now; None where it has none or does not tell. `root` is where Linux
    tells."""
    if sys.platform == "linux":
        return _linux_battery(root)
    elif sys.platform == "darwin":
        said = _output("/usr/bin/pmset", "-g", "batt")
        return "'Battery Power'" in said if "InternalBattery" in said else None
    else:
        return _windows_battery()


def _linux_battery(root: Path) -> bool | None:
    batteries: list[str] = []
    plugged = False
    for folder in sorted(root.glob("*")):
        kind = _line(folder / "type")
        if kind == "Battery" and _line(folder / "scope") != "Device":  # a mouse has one too
            batteries.append(_line(folder / "status"))
        elif kind in ("Mains", "USB"):
            plugged = plugged or _line(folder / "online") == "1"
    return "Discharging" in batteries and not plugged if batteries else None


def _line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _meminfo() -> dict[str, int]:
    text = _line(Path("/proc/meminfo"))
    return {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}


def _linux_memory() -> tuple[int, int]:
    found = _meminfo()
    total, free = found.get("MemTotal", 0), found.get("MemAvailable", 0)
    for limit, left in group_limits():
        total, free = min(total, limit), min(free, left)
    return total, free


def group_limits(root: Path = Path("/")) -> Iterator[tuple[int, int]]:
    """What each control group of this process may take, and what of it is left: a container's, and those it is within.
    Files that the system keeps count as left. `root` is where Linux tells."""
    for folder in control_groups(root):
        with contextlib.suppress(OSError, ValueError):  # no limit, or no such group
            limit, taken = int((folder / "memory.max").read_text()), int((folder / "memory.current").read_text())
            yield limit, max(limit - taken + _kept_files(folder, "file"), 0)
    older = root / "sys/fs/cgroup/memory"
    with contextlib.suppress(OSError, ValueError):
        limit = int((older / "memory.limit_in_bytes").read_text())
        taken = int((older / "memory.usage_in_bytes").read_text())
        yield limit, max(limit - taken + _kept_files(older, "total_cache"), 0)


def _kept_files(folder: Path, name: str) -> int:
    found = re.search(rf"^{name} (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def _darwin_memory() -> tuple[int, int]:
    total = int(_sysctl("hw.memsize") or 0)
    text = _output("/usr/bin/vm_stat")
    page = re.search(r"page size of (\d+)", text)
    counts = {name: int(count) for name, count in re.findall(r"^Pages ([\w ]+):\s+(\d+)", text, re.MULTILINE)}
    pages = sum(counts.get(name, 0) for name in ("free", "inactive", "speculative", "purgeable"))
    return total, min(pages * int(page[1]), total) if page else total


def _sysctl(name: str) -> str:
    return _output("/usr/sbin/sysctl", "-n", name)


def _output(*command: str) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


class _MemoryStatus(ctypes.Structure):  # MEMORYSTATUSEX of sysinfoapi.h
    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        ("total", ctypes.c_ulonglong),
        ("available", ctypes.c_ulonglong),
        ("total_page", ctypes.c_ulonglong),
        ("available_page", ctypes.c_ulonglong),
        ("rest", ctypes.c_ulonglong * 3),
    )


class _PowerStatus(ctypes.Structure):  # SYSTEM_POWER_STATUS of winbase.h
    _fields_ = (
        ("line", ctypes.c_ubyte),
        ("battery", ctypes.c_ubyte),
        ("percent", ctypes.c_ubyte),
        ("saver", ctypes.c_ubyte),
        ("left_s", ctypes.c_ulong),
        ("full_s", ctypes.c_ulong),
    )


_NO_BATTERY, _UNKNOWN = 128, 255


def _windows_status() -> _MemoryStatus | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    windows = getattr(ctypes, "windll", None)
    return status if windows is not None and windows.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _windows_memory() -> tuple[int, int]:
    status = _windows_status()
    return (int(status.total), int(status.available)) if status else (0, 0)


def _windows_battery() -> bool | None:
    status = _PowerStatus()
    windows = getattr(ctypes, "windll", None)
    if windows is None or not windows.kernel32.GetSystemPowerStatus(ctypes.byref(status)):
        return None
    if status.line == _UNKNOWN or status.battery == _UNKNOWN or status.battery & _NO_BATTERY:
        return None
    return bool(status.line == 0)
