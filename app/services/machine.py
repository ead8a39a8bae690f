"""This computer in numbers: memory, processor, and what a short run of the starter model measured.

Measured once for a llama.cpp build, processor and set of devices, and kept in `machine.json` in the data folder. A run
takes about two seconds in an engine process of its own. When to run it is decided by `fitting`.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from app.base.clock import now_ms
from app.engine.gguf import check_loadable
from app.engine.hardware import Device, DeviceSpeed, Machine
from app.engine.probe import Probe
from app.engine.shape import ModelShape, shape_of
from app.engine.values import GenerateRequest, GenerationFacts, LoadOptions, PromptMessage, Sampling

log = logging.getLogger(__name__)

FILE = "machine.json"
RUN_S = 0.3
"""How long the starter model writes after short prompts, on each kind of device. A long one and the load come on
top."""

N_CTX = 512
SHORT_WORDS = 8
LONG_WORDS = 130
LONG_RUNS = 2
SLOWEST_CACHE = 8.0
"""A cache that seems slower than this part of the weights' speed was disturbed while it was measured."""

WRITTEN = 20
_WORDS = ("stone", "river", "lamp", "winter", "bread", "hill", "rope", "glass", "night", "leaf", "sand")
_MAX_FILE_BYTES = 100_000


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept. `key` says for what it holds."""

    key: str
    build: str
    devices: tuple[Device, ...]
    speeds: tuple[DeviceSpeed, ...]
    measured_ms: int


# --- keeping ------------------------------------------------------------------------------------------------------


def key() -> str:
    """What a measurement belongs to, as far as it is known without starting an engine."""
    from importlib import metadata  # reads csv and e-mail modules, which the first paint must not pay for

    try:
        version = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return f"llama-cpp-python {version}, {cpu_name()}, {os.cpu_count()} processors"


def load(folder: Path) -> Measured | None:
    """What was kept for this computer as it is now; None when it was never measured, or was another one."""
    path = folder / FILE
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return None
        found = msgspec.json.decode(path.read_bytes(), type=Measured)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.key == key() else None


def save(folder: Path, measured: Measured) -> None:
    """Keeps it. Raises OSError."""
    path = folder / FILE
    unready = path.with_name(f"{FILE}.new")
    unready.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1))
    unready.replace(path)


def machine_of(measured: Measured | None) -> Machine:
    """The computer at this moment."""
    total, free = memory_bytes()
    if measured is None:
        return Machine(memory_total_bytes=total, memory_free_bytes=free)
    cpu = next((speed for speed in measured.speeds if speed.name == "CPU"), None)
    return Machine(
        memory_total_bytes=total,
        memory_free_bytes=free,
        bandwidth_bytes_per_s=cpu.bandwidth_bytes_per_s if cpu else 0.0,
        compute_flops=cpu.compute_flops if cpu else 0.0,
        cache_bytes_per_s=cpu.cache_bytes_per_s if cpu else 0.0,
        devices=measured.devices,
        speeds=tuple(speed for speed in measured.speeds if speed.name != "CPU"),
        measured_ms=measured.measured_ms,
    )


# --- measuring ----------------------------------------------------------------------------------------------------


def measure(probe: Probe, starter: Path, give_up: Callable[[], bool] = lambda: False) -> Measured | None:
    """Runs the starter model on the CPU, and on the devices together if there are any. Raises EngineError.

    None when `give_up` said so in between. The bytes of weights that are read for a token, times tokens a second, are
    the bandwidth that writing can use; a small model has its share of overhead in it, so a large one is a little faster
    than foretold.
    """
    info = probe.describe()
    devices = tuple(device for device in info.devices if device.kind in ("gpu", "igpu"))
    shape = shape_of(check_loadable(starter))
    speeds = []
    for names, layers in ((("CPU",), 0), (tuple(device.name for device in devices), -1)):
        if not names:
            continue
        found = _run(probe, starter, shape, layers, give_up)
        if found is None:
            return None
        speeds += [msgspec.structs.replace(found, name=name) for name in names]
    return Measured(key=key(), build=info.llama_cpp_build, devices=devices, speeds=tuple(speeds), measured_ms=now_ms())


def _run(
    probe: Probe, starter: Path, shape: ModelShape, n_gpu_layers: int, give_up: Callable[[], bool]
) -> DeviceSpeed | None:
    options = LoadOptions(n_ctx=N_CTX, n_gpu_layers=n_gpu_layers)
    probe.load(starter, options)
    a_token = sum(shape.kv_layer_bytes(N_CTX, options)) / N_CTX
    end, number = time.monotonic() + RUN_S, 0
    short: GenerationFacts | None = None
    while short is None or time.monotonic() < end:
        if give_up():
            return None
        # The best of some short runs: whatever else the computer does at the moment makes them only slower.
        found = probe.generate(_request(number, SHORT_WORDS))
        short = found if short is None or found.tokens_per_s > short.tokens_per_s else short
        number += 1
    longs: list[GenerationFacts] = []
    for _ in range(LONG_RUNS):  # the prompt is read by the first of them only
        if give_up():
            return None
        longs.append(probe.generate(_request(number, LONG_WORDS)))
    read, long = longs[0], max(longs, key=lambda one: one.tokens_per_s)
    bandwidth = flops = cache = 0.0
    if short.tokens_per_s > 0 and long.tokens_per_s > 0:
        bandwidth = short.tokens_per_s * (shape.active_bytes + short.prompt_tokens * a_token)
        # What each further token of context costs is the cache's alone.
        slower_s = 1 / long.tokens_per_s - 1 / short.tokens_per_s
        cache = (long.prompt_tokens - short.prompt_tokens) * a_token / slower_s if slower_s > 0 else bandwidth
        cache = min(max(cache, bandwidth / SLOWEST_CACHE), bandwidth)
    if read.prompt_s > 0:
        flops = (read.prompt_tokens - read.cached_tokens) / read.prompt_s * 2 * shape.active_params
    return DeviceSpeed(name="", bandwidth_bytes_per_s=bandwidth, compute_flops=flops, cache_bytes_per_s=cache)


def _request(number: int, count: int) -> GenerateRequest:
    words = " ".join(_WORDS[(number + index * 7) % len(_WORDS)] for index in range(count))
    return GenerateRequest(
        sequence=f"measure {number}",
        messages=[PromptMessage(role="user", content=f"{number} times: {words}")],
        sampling=Sampling(temperature=0.0, max_tokens=WRITTEN),
    )


# --- this computer ------------------------------------------------------------------------------------------------


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


def memory_bytes() -> tuple[int, int]:
    """All main memory that this process may use, and what of it could be had now. (0, 0) where nothing tells."""
    if sys.platform == "linux":
        return _linux_memory()
    elif sys.platform == "darwin":
        return _darwin_memory()
    else:
        return _windows_memory()


def _linux_memory() -> tuple[int, int]:
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return 0, 0
    found = {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    total, free = found.get("MemTotal", 0), found.get("MemAvailable", 0)
    with contextlib.suppress(OSError, ValueError):  # a container's limit, where there is one
        group = Path("/proc/self/cgroup").read_text().splitlines()[0].partition("::")[2].lstrip("/")
        folder = Path("/sys/fs/cgroup") / group
        limit = int((folder / "memory.max").read_text())
        taken = int((folder / "memory.current").read_text())
        cached = re.search(r"^file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
        total = min(total, limit)
        free = min(free, max(limit - taken + (int(cached[1]) if cached else 0), 0))
    return total, free


def _darwin_memory() -> tuple[int, int]:
    total = int(_sysctl("hw.memsize") or 0)
    try:
        text = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, check=False, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return total, total
    page = re.search(r"page size of (\d+)", text)
    counts = {name: int(count) for name, count in re.findall(r"^Pages ([\w ]+):\s+(\d+)", text, re.MULTILINE)}
    pages = sum(counts.get(name, 0) for name in ("free", "inactive", "speculative", "purgeable"))
    return total, min(pages * int(page[1]), total) if page else total


def _sysctl(name: str) -> str:
    try:
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


def _windows_memory() -> tuple[int, int]:
    class Status(ctypes.Structure):  # MEMORYSTATUSEX of sysinfoapi.h
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        ]

    status = Status(length=ctypes.sizeof(Status))
    windows = getattr(ctypes, "windll", None)
    if windows is None or not windows.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return 0, 0
    return int(status.total), int(status.available)
