"""What llama.cpp's log says of memory: which layer goes where, how large the buffers are, and the shares they make.

llama.cpp decides what lies where and says so in its log only. Real loads are read here, and, with planning.py, loads
without weights. Sizes are printed in mebibytes with two digits.

Weights that are mapped from the file and copied for the processor's own layout (CPU_REPACK) count once: the pages of
the file can be given up. What is printed of a mapped file reaches from its first tensor to its last, whoever owns those
between; so main memory's part of it is what the loader assigned there.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from app.engine.gguf_header import Header
from app.engine.hardware import DeviceShare
from app.engine.shape import EMBEDDED_TWICE, ModelShape
from app.engine.worker import devices
from app.engine.worker.llama import log

MIB = 1024 * 1024
MAIN = ""  # the owner of what lies in main memory

_ASSIGNED = re.compile(r"load_tensors: layer +(\d+) assigned to device ([^,]+),")
_UNUSED = re.compile(r"\w+: model has unused tensor (\S+) \(size = (\d+) bytes\)")
_MOVED = re.compile(r"tensor (\S+) \(.*\) buffer type overridden to (.+)$")
_CACHE_LAYER = re.compile(r"llama_kv_cache: layer +(\d+): dev = (.+)$")
_CACHE_SIZE = re.compile(r"(llama_\w+): size = +([\d.]+) MiB")
_COPIES = re.compile(r"sched_reserve: .*sched copies = (\d+)")
_BUFFER = re.compile(r"\w+: +(.+?) +(model|KV|RS|compute|output) buffer size = +([\d.]+) MiB")


class Report:
    """What was said of one load and its context."""

    def __init__(self) -> None:
        self.assigned: dict[int, str] = {}
        self.unused: dict[str, int] = {}
        self.moved: dict[str, str] = {}  # tensors that do not lie where their layer does
        self.caches: list[tuple[dict[int, str], float]] = []
        self.buffers: list[tuple[str, str, float]] = []  # kind, name, bytes
        self.copies = 1  # of what crosses from device to device, so that slices of a prompt follow each other
        self._layers: dict[int, str] = {}

    def hear(self, line: str) -> None:
        """One line of the log. There are thousands, and few that matter."""
        if found := _CACHE_LAYER.match(line):
            self._layers[int(found[1])] = found[2].strip()
        elif found := _ASSIGNED.match(line):
            self.assigned[int(found[1])] = found[2]
        elif found := _MOVED.match(line):
            self.moved[found[1]] = found[2]
        elif found := _COPIES.match(line):
            self.copies = int(found[1])
        elif " size = " not in line:
            return
        elif found := _UNUSED.match(line):
            self.unused[found[1]] = int(found[2])
        elif found := _BUFFER.match(line):
            self.buffers.append((found[2], found[1], float(found[3]) * MIB))
        elif (found := _CACHE_SIZE.match(line)) and found[1] != "llama_memory_recurrent":
            self.caches.append((self._layers, float(found[2]) * MIB))
            self._layers = {}

    def leave_out(self, n_ahead: int) -> None:
        """Forget the layers for guessing ahead, which stand before the output and are not loaded."""
        output = max(self.assigned, default=0)
        for layer in range(max(output - n_ahead, 0), output):
            self.assigned.pop(layer, None)

    def sums(self, owners: Owners, *kinds: str) -> dict[str, float]:
        """The buffers of these kinds, by owner."""
        found: dict[str, float] = defaultdict(float)
        for kind, name, size in self.buffers:
            if kind in kinds:
                found[owners.of(name)] += size
        return found


class Owners:
    """Whose a device name or the name of a buffer is. What no device owns lies in main memory: buffers that a device
    only reads from, such as CUDA_Host, too."""

    def __init__(self, endpoints: Sequence[str]) -> None:
        self._names = devices.buffer_names(endpoints)
        self.kinds = {handle.name: handle.kind for handle in devices.handles(endpoints) if handle.takes_layers}

    def of(self, name: str) -> str:
        """The device's name, or MAIN."""
        return self._names.get(name) or self._names.get(name.removesuffix("_Mapped"), MAIN)

    def shares(
        self,
        report: Report,
        weights: Mapping[str, float],
        kv: Mapping[str, float],
        compute: Mapping[str, float],
    ) -> tuple[DeviceShare, ...]:
        """The shares, beginning with the CPU's; devices without a part in it are left out."""
        layers: dict[str, int] = defaultdict(int)
        for name in report.assigned.values():
            layers[self.of(name)] += 1
        return tuple(
            DeviceShare(
                name=name or devices.CPU,
                kind=self.kinds.get(name, "cpu"),
                weights_bytes=round(weights.get(name, 0)),
                kv_bytes=round(kv.get(name, 0)),
                compute_bytes=round(compute.get(name, 0)),
                layers=layers[name],
            )
            for name in (MAIN, *self.kinds)
            if not name or layers[name] or weights.get(name) or kv.get(name) or compute.get(name)
        )


@contextlib.contextmanager
def listening() -> Iterator[Report]:
    """A report that hears all that is logged within the block."""
    report = Report()
    log.listener = report.hear
    try:
        yield report
    finally:
        log.listener = None


def n_gpu_layers(shares: Sequence[DeviceShare]) -> int:
    """How many layers lie on devices, the output layer too."""
    return sum(share.layers for share in shares[1:])


def reported_shares(
    report: Report, shape: ModelShape | None, headers: Sequence[Header], endpoints: Sequence[str]
) -> tuple[DeviceShare, ...]:
    """What a real load took. Without a shape, a mapped file counts as it was printed."""
    owners = Owners(endpoints)
    weights = report.sums(owners, "model")
    if shape is not None and any(name.endswith("_Mapped") for kind, name, _ in report.buffers if kind == "model"):
        assigned = assigned_weights(report, shape, headers, owners, mapped=True)
        weights[MAIN] = min(weights[MAIN], assigned[MAIN])
    return owners.shares(report, weights, report.sums(owners, "KV", "RS"), report.sums(owners, "compute", "output"))


def assigned_weights(
    report: Report, shape: ModelShape, headers: Sequence[Header], owners: Owners, *, mapped: bool
) -> dict[str, float]:
    """The bytes of the tensors that the loader assigned to each device."""
    weights: dict[str, float] = defaultdict(float)
    output = owners.of(report.assigned[max(report.assigned)])
    weights[MAIN] += shape.input_bytes
    weights[output] += shape.output_bytes
    if shape.tied and (output or (shape.architecture in EMBEDDED_TWICE and not mapped)):
        weights[output] += shape.embedding_bytes
    for layer, size in enumerate(shape.layer_bytes):
        weights[owners.of(report.assigned.get(layer, ""))] += size
    for name, size in report.unused.items():
        layer = _layer_of(name)
        if layer < shape.n_layer:  # a layer for guessing ahead was not counted
            weights[owners.of(report.assigned.get(layer, ""))] -= size
    if report.moved:
        sizes = {tensor.name: tensor.size_bytes for header in headers for tensor in header.tensors}
        for name, buffers in report.moved.items():
            weights[owners.of(report.assigned.get(_layer_of(name), ""))] -= sizes.get(name, 0)
            weights[owners.of(buffers)] += sizes.get(name, 0)
    return weights


def _layer_of(name: str) -> int:
    found = re.match(r"blk\.(\d+)\.", name)
    return int(found[1]) if found else -1
