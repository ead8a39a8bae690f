"""What to believe of the memory of devices, where somebody knows better than their driver. Pure but for one variable.

A driver may report nonsense, and a worker that computes on a processor reports all memory of its computer. People who
know better say so in INGLENOOK_DEVICE_MEMORY, tests by the same map.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

import msgspec

from app.engine.hardware import Device

VARIABLE = "INGLENOOK_DEVICE_MEMORY"

Report = Mapping[str, tuple[int, int]]
"""Device name: bytes free and in all."""

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_NUMBER = r"(\d{1,18}(?:\.\d{1,9})?)([KMG]?)"
_ENTRY = re.compile(rf"([^=,]+)={_NUMBER}/{_NUMBER}", re.IGNORECASE | re.ASCII)


def from_environment() -> dict[str, tuple[int, int]]:
    """The report of the variable, such as `CUDA0=6G/8G,RPC0=512M/1G`; what is not of this form is left out."""
    found = {}
    for match in filter(None, map(_ENTRY.fullmatch, _entries())):
        name, free, free_unit, total, total_unit = match.groups()
        size = int(float(total) * _UNITS[total_unit.upper()])
        found[name.strip()] = (min(int(float(free) * _UNITS[free_unit.upper()]), size), size)
    return found


def problem() -> str:
    """What of the variable is not understood, in a sentence; '' for nothing."""
    wrong = next((entry for entry in _entries() if not _ENTRY.fullmatch(entry)), None)
    if wrong is None:
        return ""
    return f"“{wrong}” in {VARIABLE} says nothing of a device's memory: free and in all are written as CUDA0=6G/8G."


def _entries() -> list[str]:
    return list(filter(None, map(str.strip, os.environ.get(VARIABLE, "").split(","))))


def believed(devices: Iterable[Device], report: Report) -> tuple[Device, ...]:
    """The devices with the memory that the report tells of them, where it does."""
    return tuple(
        msgspec.structs.replace(
            device, memory_free_bytes=report[device.name][0], memory_total_bytes=report[device.name][1]
        )
        if device.name in report
        else device
        for device in devices
    )
