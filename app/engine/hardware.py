"""Frozen data about the computer and what a model takes of it: devices, memory plans, what will fit and how fast.

Only values: no I/O, no behaviour beyond derived numbers. The fields travel over the wire as they are (protocol.py).
"""

from __future__ import annotations

import enum

import msgspec


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A compute device as ggml reports it. `kind` is cpu, gpu, igpu or accel; memory in bytes (0 = not reported).

    `backend` is ggml's name for what drives it (CPU, CUDA, Vulkan, Metal, RPC). `host`: the computer it belongs to,
    as host or address without a port; empty for this one. Devices of one host share its memory.
    """

    name: str
    description: str
    kind: str
    memory_free_bytes: int
    memory_total_bytes: int
    backend: str = ""
    host: str = ""


class DeviceSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """What a device was measured to do: bytes of weights, and of the KV cache, that writing gets through in a second,
    and operations in a second of reading. 0 where it was not measured.

    `layer_s` is what each layer takes besides, however small it is, for a token or a batch of a prompt: on a card the
    start of its operations. 0 where it is part of the other figures.
    """

    name: str
    bandwidth_bytes_per_s: float
    compute_flops: float
    cache_bytes_per_s: float = 0.0
    layer_s: float = 0.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """This computer, for the question what fits and how fast it will be. The top figures are the main memory's and the
    CPU's; `devices` are those that can take layers, `speeds` theirs. `measured_ms` 0: the speeds were never measured.

    `memory_free_bytes` is what a program could get now without pushing others out, files kept in memory given up.
    `cores` are the physical cores that computing uses by itself (the fast ones, where there are two kinds), `logical`
    all processors. `on_battery` None: there is no battery, or it does not tell. `large_pages`: what a program
    allocates can lie in large pages, which a processor finds faster.
    """

    memory_total_bytes: int
    memory_free_bytes: int
    bandwidth_bytes_per_s: float = 0.0
    compute_flops: float = 0.0
    cache_bytes_per_s: float = 0.0
    devices: tuple[Device, ...] = ()
    speeds: tuple[DeviceSpeed, ...] = ()
    measured_ms: int = 0
    swap_total_bytes: int = 0
    swap_free_bytes: int = 0
    cores: int = 0
    logical: int = 0
    on_battery: bool | None = None
    large_pages: bool = False


class DeviceShare(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes of one device's memory. The name is the device's own; what lies in main memory is the CPU's.

    `compute_bytes` are the working buffers of the graph and, on the CPU, the buffer for the logits. `layers` counts
    those that lie there, the output layer too.
    """

    name: str
    kind: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    layers: int = 0

    @property
    def total_bytes(self) -> int:
        """All that is taken of this device."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes


class MemoryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where the memory of a model goes with a context of `n_ctx` tokens. The shares begin with the CPU's.

    `kv_bytes` holds all that a conversation leaves behind: KV cache and recurrent states. `exact`: llama.cpp itself
    went through the load and said so; otherwise it is computed from the header, or guessed from less.
    `n_gpu_layers` counts the output layer, as llama.cpp does.
    """

    n_ctx: int
    n_gpu_layers: int
    exact: bool
    shares: tuple[DeviceShare, ...]

    @property
    def weights_bytes(self) -> int:
        """The weights, on all devices; a tensor that two devices hold counts twice."""
        return sum(share.weights_bytes for share in self.shares)

    @property
    def kv_bytes(self) -> int:
        """KV cache and recurrent states, on all devices."""
        return sum(share.kv_bytes for share in self.shares)

    @property
    def compute_bytes(self) -> int:
        """Working buffers, on all devices."""
        return sum(share.compute_bytes for share in self.shares)

    @property
    def total_bytes(self) -> int:
        """Everything."""
        return sum(share.total_bytes for share in self.shares)


class Verdict(enum.StrEnum):
    """Where a model runs on this machine: on graphics cards alone, partly on them, in main memory, or not at all."""

    GPU = "gpu"
    PARTLY = "partly"
    MEMORY = "memory"
    NO = "no"


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What a model will be like on this machine. `max_ctx` is the longest context that fits, 0 if none does.

    `tokens_per_s` is expected while writing with half of the context filled, `ttft_s` for a prompt of 1,000 tokens;
    both are 0 where the machine was not measured. `fits_now` looks at the memory that is free at this moment,
    `verdict` at all there is. `why` is a plain sentence with the numbers.
    """

    plan: MemoryPlan
    verdict: Verdict
    max_ctx: int
    tokens_per_s: float
    ttft_s: float
    why: str
    fits_now: bool = True

    @property
    def fits(self) -> bool:
        """Whether it runs at all."""
        return self.verdict is not Verdict.NO
