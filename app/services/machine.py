"""This computer in numbers: what it tells of itself, its devices, and what was measured of them (`measuring`).

Measured once for a llama.cpp build, processor and set of devices, and kept in `machine.json` in the data folder. Memory
is that of the moment: of devices, the last time that an engine process looked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from app.engine.budgets import is_remote
from app.engine.hardware import Device, DeviceSpeed, Machine
from app.services import computer

FILE = "machine.json"
METHOD = 2
"""How it was measured: what another way gave is not believed."""

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
    return f"method {METHOD}, llama-cpp-python {version}, {computer.cpu_name()}, {os.cpu_count()} processors"


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
