"""This computer in numbers: what it tells of itself, its devices, and what a short run of the starter model measured.

Measured once for a llama.cpp build, processor and set of devices, and kept in `machine.json` in the data folder. A run
takes about two seconds in an engine process of its own, and one more for each device. When to run it is decided by
`fitting`. Memory is that of the moment: of devices, the last time that an engine process looked.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from app.base.clock import now_ms
from app.engine.budgets import is_remote
from app.engine.gguf import check_loadable
from app.engine.hardware import Device, DeviceSpeed, Machine
from app.engine.probe import Probe
from app.engine.shape import ModelShape, shape_of
from app.engine.values import GenerateRequest, GenerationFacts, LoadOptions, PromptMessage, Sampling
from app.engine.worker.cores import physical_cores
from app.services import computer

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

MANY_CORES = 6
"""From so many on, how many threads are best is measured: with fewer, all are."""

FASTER = 1.05
"""By how much fewer threads must be faster to be used: less is noise."""

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
    n_threads: int = 0


# --- keeping ------------------------------------------------------------------------------------------------------


def key() -> str:
    """What a measurement belongs to, as far as it is known without starting an engine."""
    from importlib import metadata  # reads csv and e-mail modules, which the first paint must not pay for

    try:
        version = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return f"llama-cpp-python {version}, {computer.cpu_name()}, {os.cpu_count()} processors"


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


def machine_of(measured: Measured | None, seen: Sequence[Device] | None = None) -> Machine:
    """The computer at this moment. `seen` are the devices that an engine process found last, None while none has
    looked; speeds count only if this computer still has the devices they were measured on."""
    here = computer.machine()
    devices = tuple(seen if seen is not None else measured.devices if measured is not None else ())
    here = msgspec.structs.replace(here, devices=devices)
    if measured is None or _own(devices) != _own(measured.devices):
        return here
    cpu = next((speed for speed in measured.speeds if speed.name == "CPU"), None)
    return msgspec.structs.replace(
        here,
        bandwidth_bytes_per_s=cpu.bandwidth_bytes_per_s if cpu else 0.0,
        compute_flops=cpu.compute_flops if cpu else 0.0,
        cache_bytes_per_s=cpu.cache_bytes_per_s if cpu else 0.0,
        speeds=tuple(speed for speed in measured.speeds if speed.name != "CPU"),
        measured_ms=measured.measured_ms,
        cores=measured.n_threads or here.cores,
    )


def taking_layers(devices: Iterable[Device]) -> tuple[Device, ...]:
    """Those that layers can be put on."""
    return tuple(device for device in devices if device.kind in ("gpu", "igpu"))


def _own(devices: Iterable[Device]) -> set[str]:
    return {device.name for device in devices if not is_remote(device)}


# --- measuring ----------------------------------------------------------------------------------------------------


def measure(probe: Probe, starter: Path, give_up: Callable[[], bool] = lambda: False) -> Measured | None:
    """Runs the starter model on the CPU, and on each device that takes layers. Raises EngineError.

    None when `give_up` said so in between. The bytes of weights that are read for a token, times tokens a second, are
    the bandwidth that writing can use; a small model has its share of overhead in it, so a large one is a little faster
    than foretold.
    """
    info = probe.describe()
    devices = taking_layers(info.devices)
    shape = shape_of(check_loadable(starter))
    tried: list[tuple[int, DeviceSpeed]] = []
    for threads in thread_counts():
        found = _run(probe, starter, shape, LoadOptions(n_ctx=N_CTX, n_gpu_layers=0, n_threads=threads), give_up)
        if found is None:
            return None
        tried.append((threads, msgspec.structs.replace(found, name="CPU")))
    n_threads, of_cpu = quickest(tried)
    speeds = [of_cpu]
    for device in devices:
        found = _run(probe, starter, shape, LoadOptions(n_ctx=N_CTX, devices=(device.name,)), give_up)
        if found is None:
            return None
        speeds.append(msgspec.structs.replace(found, name=device.name))
    return Measured(
        key=key(),
        build=info.llama_cpp_build,
        devices=devices,
        speeds=tuple(speeds),
        measured_ms=now_ms(),
        n_threads=n_threads,
    )


def thread_counts(cores: int = 0) -> tuple[int, ...]:
    """How many threads to try on so many cores, the usual number first; 0 stands for the engine's own choice."""
    cores = cores or physical_cores()
    return (0, cores * 3 // 4, cores // 2) if cores >= MANY_CORES else (0,)


def quickest(tried: Sequence[tuple[int, DeviceSpeed]]) -> tuple[int, DeviceSpeed]:
    """Of numbers of threads and what was measured with them, the first, unless another is faster by more than noise."""
    best = tried[0]
    for one in tried[1:]:
        if one[1].bandwidth_bytes_per_s > FASTER * best[1].bandwidth_bytes_per_s:
            best = one
    return best


def _run(
    probe: Probe, starter: Path, shape: ModelShape, options: LoadOptions, give_up: Callable[[], bool]
) -> DeviceSpeed | None:
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
