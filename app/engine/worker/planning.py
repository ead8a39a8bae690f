"""How much memory a model would take, and on which device, by going through its load and its context without them.

llama.cpp decides what lies where and how large its buffers are, and says so in its log only; so the log is read here.
What it says in mebibytes with two digits is replaced by the exact number wherever the header gives it. Nothing is kept.

Weights that are mapped from the file and copied for the processor's own layout (CPU_REPACK) count once: the pages of
the file can be given up.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from app.engine.errors import EngineError
from app.engine.gguf import check_loadable, read_others
from app.engine.hardware import Device, DeviceShare, MemoryPlan
from app.engine.protocol import Code
from app.engine.shape import ModelShape, shape_of
from app.engine.values import LoadOptions
from app.engine.worker import llama
from app.engine.worker.context import Abort, Context, ContextError
from app.engine.worker.cores import physical_cores
from app.engine.worker.loading import LoadingError, check, loading_error

MAX_STATE_BYTES = 2 * 1024**3
"""Recurrent states are really taken, even here: a header that asks for more than any model has is refused."""

_EMBEDDED_TWICE = frozenset({"gemma3n", "gemma4"})
"""Loaders that ask for the output matrix first, and so hold a tied one twice unless both are mapped from the file."""

_MIB = 1024 * 1024
_ASSIGNED = re.compile(r"load_tensors: layer +(\d+) assigned to device ([^,]+),")
_UNUSED = re.compile(r"\w+: model has unused tensor (\S+) \(size = (\d+) bytes\)")
_CACHE_LAYER = re.compile(r"llama_kv_cache: layer +(\d+): dev = (.+)$")
_CACHE_SIZE = re.compile(r"(llama_\w+): size = +([\d.]+) MiB")
_STATE_BUFFER = re.compile(r"llama_memory_recurrent: +(.+?) +RS buffer size = +([\d.]+) MiB")
_WORK_BUFFER = re.compile(r"\w+: +(.+?) +(compute|output) buffer size = +([\d.]+) MiB")


class _Said:
    """What llama.cpp's log told."""

    def __init__(self) -> None:
        self.assigned: dict[int, str] = {}
        self.unused: dict[str, int] = {}
        self.caches: list[tuple[dict[int, str], float]] = []
        self.states: list[tuple[str, float]] = []
        self.work: list[tuple[str, float]] = []
        self._layers: dict[int, str] = {}

    def hear(self, line: str) -> None:
        """One line of the log. There are thousands, and few that matter."""
        if found := _CACHE_LAYER.match(line):
            self._layers[int(found[1])] = found[2].strip()
        elif found := _ASSIGNED.match(line):
            self.assigned[int(found[1])] = found[2]
        elif " size = " not in line:
            return
        elif found := _UNUSED.match(line):
            self.unused[found[1]] = int(found[2])
        elif found := _STATE_BUFFER.match(line):
            self.states.append((found[1], float(found[2]) * _MIB))
        elif found := _CACHE_SIZE.match(line):
            if found[1] != "llama_memory_recurrent":
                self.caches.append((self._layers, float(found[2]) * _MIB))
                self._layers = {}
        elif " buffer size = " in line and (found := _WORK_BUFFER.match(line)):
            self.work.append((found[1], float(found[3]) * _MIB))


def plan(path: Path, options: LoadOptions) -> MemoryPlan:
    """What the file would take with these options. Raises LoadingError."""
    shape = _shape(path)
    if shape.state_bytes > MAX_STATE_BYTES:
        raise LoadingError(Code.OUT_OF_MEMORY, f"recurrent states of {shape.state_bytes} bytes")
    said, context = _Said(), None
    llama.log.listener = said.hear
    try:
        try:
            model = llama.Model(path, options, lambda fraction: True, weightless=True)
        except llama.LoadError as error:
            raise loading_error(path, error.detail) from error
        try:
            context = Context(model, options, options.n_threads or physical_cores(), Abort())
            n_ctx, n_gpu_layers = context.n_ctx, model.offloaded_layers
        except ContextError as error:
            raise loading_error(path, str(error)) from error
        except ValueError as error:
            raise LoadingError(Code.LOAD_FAILED, str(error)) from error
        finally:
            if context is not None:
                context.close()
            model.close()
    finally:
        llama.log.listener = None
    if len(said.assigned) <= shape.n_layer or not said.work or not (said.caches or said.states):
        raise LoadingError(Code.INTERNAL, "this llama.cpp does not say where memory goes")
    shares = _shares(said, shape, options, n_ctx)
    return MemoryPlan(n_ctx=n_ctx, n_gpu_layers=n_gpu_layers, exact=True, shares=shares)


def _shape(path: Path) -> ModelShape:
    try:
        headers = (check_loadable(path), *read_others(path))
    except EngineError as error:
        raise LoadingError(error.code, error.detail, error.numbers) from error
    try:
        return shape_of(*headers)
    except EngineError as error:
        check(path, thoroughly=True)  # llama.cpp may know better what is wrong
        raise LoadingError(error.code, error.detail, error.numbers) from error


def _shares(said: _Said, shape: ModelShape, options: LoadOptions, n_ctx: int) -> tuple[DeviceShare, ...]:
    devices = llama.devices()
    weights: dict[str, int] = defaultdict(int)
    kv: dict[str, float] = defaultdict(float)
    work: dict[str, float] = defaultdict(float)

    output = _owner(said.assigned[max(said.assigned)], devices)
    weights[""] += shape.input_bytes
    weights[output] += shape.output_bytes
    if shape.tied and (output or (shape.architecture in _EMBEDDED_TWICE and not options.use_mmap)):
        weights[output] += shape.embedding_bytes
    for layer, size in enumerate(shape.layer_bytes):
        weights[_owner(said.assigned.get(layer, ""), devices)] += size
    for name, size in said.unused.items():
        found = re.match(r"blk\.(\d+)\.", name)
        layer = int(found[1]) if found else -1
        if layer < shape.n_layer:  # a layer for guessing ahead was not counted
            weights[_owner(said.assigned.get(layer, ""), devices)] -= size

    expected = shape.kv_layer_bytes(n_ctx, options)
    for layers, total in said.caches:
        parts = {layer: float(expected[layer]) if layer < len(expected) else 0.0 for layer in layers}
        known = sum(parts.values())
        # The header's number where it is the one that was printed; where the architecture stores something else, the
        # printed one, in the proportions of the layers.
        factor = 1.0 if known and abs(known - total) <= 0.01 * _MIB else total / known if known else 0.0
        for layer, name in layers.items():
            kv[_owner(name, devices)] += parts[layer] * factor if known else total / len(layers)
        if not layers:
            kv[""] += total
    for name, taken in said.states:
        kv[_owner(name, devices)] += taken
    for name, taken in said.work:
        work[_owner(name, devices)] += taken

    names = {"": "CPU"} | {device.name: device.name for device in devices if device.kind != "cpu"}
    kinds = {device.name: device.kind for device in devices}
    return tuple(
        DeviceShare(
            name=name,
            kind=kinds.get(key, "cpu"),
            weights_bytes=weights[key],
            kv_bytes=round(kv[key]),
            compute_bytes=round(work[key]),
        )
        for key, name in names.items()
        if not key or weights[key] or kv[key] or work[key]
    )


def _owner(said: str, devices: list[Device]) -> str:
    """The device that llama.cpp means by the name of a device or of one of its buffer types; '' is main memory.

    Buffers that a device only reads from, such as CUDA_Host, lie in main memory.
    """
    for device in devices:
        if device.kind in ("gpu", "igpu") and (said == device.name or said.startswith(f"{device.name}[")):
            return device.name
    return ""
