"""Where a load puts what: the options of a load as llama.cpp's parameters. Pure but for looking devices up.

Devices are always named to llama.cpp: left to itself it would take every one that this process ever heard of.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import msgspec

from app.engine.errors import DeviceFailed
from app.engine.values import LoadOptions
from app.engine.worker import devices
from app.engine.worker.devices import Handle
from app.engine.worker.llama import api

# the names that llama.cpp's own option for experts in main memory looks for (common/common.h)
_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"


def counted(options: LoadOptions, n_ahead: int) -> LoadOptions:
    """The options with layers counted as llama.cpp does, for a model with `n_ahead` layers for guessing ahead.

    They stand between the others and the output, are not loaded, and yet are counted from the end.
    """
    if n_ahead == 0 or (options.n_gpu_layers <= 0 and not options.layers_on):
        return options
    counts = list(options.layers_on)
    last = max((at for at, count in enumerate(counts) if count), default=-1)
    if counts and last < 0:
        return options
    if counts:
        counts[last] += n_ahead
    n_gpu_layers = sum(counts) if counts else options.n_gpu_layers + n_ahead
    return msgspec.structs.replace(options, n_gpu_layers=n_gpu_layers, layers_on=tuple(counts))


class _Override(ctypes.Structure):
    """llama_model_tensor_buft_override of llama.h."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffers", ctypes.c_void_p))


class Placement:
    """The devices of a load in order and how many layers go to each; `spread` leaves the numbers to llama.cpp.

    Raises DeviceFailed, and ValueError for options that contradict each other. It must live as long as its model:
    llama.cpp is given pointers into it.
    """

    def __init__(self, options: LoadOptions) -> None:
        found = devices.handles(options.rpc)
        chosen = [_named(found, name) for name in options.devices] if options.devices else devices.usual(found)
        counts: Sequence[int] = options.layers_on
        if counts and (len(counts) != len(chosen) or min(counts) < 0):
            raise ValueError(f"layers for {len(counts)} devices, and there are {len(chosen)}")
        self.n_gpu_layers = sum(counts) if counts else options.n_gpu_layers
        if counts:
            # A device without layers would still get working buffers.
            chosen = [handle for handle, count in zip(chosen, counts, strict=True) if count]
            counts = [count for count in counts if count]
        if not self.n_gpu_layers or not chosen:
            # Named or not, a card that takes no layers is left alone: its driver may be what does not work.
            self.n_gpu_layers, chosen, counts = 0, [], ()
        self.handles = tuple(chosen)
        self.endpoints = frozenset(handle.endpoint for handle in chosen if handle.endpoint)
        self._devices = (ctypes.c_void_p * (len(chosen) + 1))(*(handle.pointer for handle in chosen), None)
        self._split = (ctypes.c_float * api.llama_max_devices())(*counts)
        self._overrides = (_Override * 2)()
        if options.n_cpu_experts > 0 and chosen:
            layers = "|".join(str(layer) for layer in range(options.n_cpu_experts))
            self._overrides[0] = _Override(rf"blk\.({layers}){_EXPERTS}".encode(), devices.cpu_buffers())

    def apply(self, params: Any) -> None:
        """Write it into llama_model_params."""
        params.n_gpu_layers = self.n_gpu_layers
        params.devices = ctypes.cast(self._devices, ctypes.c_void_p)
        params.tensor_split = ctypes.cast(self._split, ctypes.POINTER(ctypes.c_float))
        params.tensor_buft_overrides = ctypes.cast(self._overrides, ctypes.c_void_p)


def _named(found: Sequence[Handle], name: str) -> Handle:
    for handle in found:
        if handle.name == name and handle.takes_layers:
            return handle
    raise DeviceFailed(name)
