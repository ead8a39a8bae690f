"""How much of a machine's memory models may take: main memory, each device, and what devices share with each other.

Pure arithmetic over a Machine; what a model takes is told by fit.py. A margin is left of everything: for the desktop
and other programs, for what llama.cpp's backends take besides the buffers that they report (contexts of the driver,
pools for products of matrices), and because free memory changes between looking and loading.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from app.engine.hardware import Device, Machine, MemoryPlan

MARGIN_BYTES = 1024 * 1024 * 1024
"""Left free of main memory, and of devices of 8 GiB and more, as llama.cpp's own fitting does."""

MARGIN_PART = 8
"""Of a smaller device one part in so many is left free: a gibibyte would be half of a card of two."""

_UNIFIED = frozenset({"Metal", "MTL"})


def margin_bytes(size_bytes: int) -> int:
    """What is left free of a device of this size."""
    return min(MARGIN_BYTES, size_bytes // MARGIN_PART)


def shares_main_memory(device: Device) -> bool:
    """Whether a device has no memory of its own but a part of this computer's: an integrated graphics unit, Apple's
    unified memory, or a worker on this very computer."""
    return device.kind == "igpu" or device.backend in _UNIFIED or (bool(device.host) and is_loopback(device.host))


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this computer."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_remote(device: Device) -> bool:
    """Whether a device is reached through a worker, on another computer or this one."""
    return device.backend == "RPC" or bool(device.host)


def main_memory_bytes(plan: MemoryPlan, machine: Machine) -> int:
    """What a plan takes of this computer's main memory, on the CPU and on the devices that share it."""
    own = {device.name for device in machine.devices if not shares_main_memory(device)}
    return sum(share.total_bytes for share in plan.shares if share.name not in own)


def at_rest(machine: Machine) -> Machine:
    """The machine as if nothing else ran: all memory is free."""
    devices = tuple(
        msgspec.structs.replace(device, memory_free_bytes=device.memory_total_bytes) for device in machine.devices
    )
    return msgspec.structs.replace(machine, memory_free_bytes=machine.memory_total_bytes, devices=devices)


@dataclass(frozen=True)
class Room:
    """Bytes that models may take: of main memory, of each device, and of each other computer as a whole.

    `pools` holds, for each other computer with several devices, their names and what there is for all of them: devices
    behind workers report the memory of their computer, each of them all of it. A device that does not tell its memory
    is trusted with nothing.
    """

    main: int
    devices: Mapping[str, int]
    sharing: frozenset[str] = frozenset()
    pools: tuple[tuple[frozenset[str], int], ...] = ()

    @classmethod
    def of(cls, machine: Machine, *, now: bool = False) -> Room:
        """All there is, or what is free at this moment."""
        seen = machine if now else at_rest(machine)
        return cls._of(seen, seen.memory_free_bytes, {})

    @classmethod
    def for_load(cls, machine: Machine, taken: Sequence[MemoryPlan] = ()) -> Room:
        """What a load may count on beside the models that are loaded already: of main memory all there is, for files
        that the system keeps there are given up and a load that would swap is refused when it comes to it; of a device
        what is free, as seen before those models were loaded."""
        gone: dict[str, int] = {}
        for share in (share for plan in taken for share in plan.shares):
            gone[share.name] = gone.get(share.name, 0) + share.total_bytes
        main = machine.memory_total_bytes - sum(main_memory_bytes(plan, machine) for plan in taken)
        return cls._of(machine, main, gone)

    @classmethod
    def _of(cls, machine: Machine, main: int, gone: Mapping[str, int]) -> Room:
        sizes: dict[str, int] = {}
        hosts: dict[str, list[Device]] = {}
        for device in machine.devices:
            free = device.memory_free_bytes - margin_bytes(device.memory_total_bytes)
            sizes[device.name] = max(free - gone.get(device.name, 0), 0)
            if device.host and not is_loopback(device.host):
                hosts.setdefault(device.host, []).append(device)
        pools = []
        for together in hosts.values():
            if len(together) > 1:
                most = max(d.memory_free_bytes - margin_bytes(d.memory_total_bytes) for d in together)
                used = sum(gone.get(device.name, 0) for device in together)
                pools.append((frozenset(device.name for device in together), max(most - used, 0)))
        sharing = frozenset(device.name for device in machine.devices if shares_main_memory(device))
        return cls(main - MARGIN_BYTES, sizes, sharing, tuple(pools))

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether every device has room for so many bytes of its own, and main memory for all others."""
        main = sum(size for name, size in sizes.items() if name not in self.devices or name in self.sharing)
        return main <= self.main and self.devices_hold(sizes)

    def devices_hold(self, sizes: Mapping[str, int]) -> bool:
        """The same without a look at what stays in main memory."""
        if any(size > self.devices[name] for name, size in sizes.items() if name in self.devices):
            return False
        shared = sum(size for name, size in sizes.items() if name in self.sharing)
        return shared <= max(self.main, 0) and all(
            sum(size for name, size in sizes.items() if name in names) <= most for names, most in self.pools
        )
