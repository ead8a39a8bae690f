"""The named matrix of plans: every architecture, context, type of the cache and size of a device, each really loaded.

A cell asks for the best options on a machine whose one device is so large, and loads with them on a worker that can
take no more (RLIMIT_AS). It is right when the load succeeds at the first try, takes of each device what the exact plan
said, and when nothing was refused that would have fitted: the whole model, where llama.cpp's own figures say it fits.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from app.engine.budgets import Room
from app.engine.command import worker_command
from app.engine.errors import EngineError
from app.engine.fit import estimate, sizes
from app.engine.gguf import check_loadable
from app.engine.hardware import Device, Machine, MemoryPlan
from app.engine.placing import best
from app.engine.probe import Probe, probing
from app.engine.shape import ModelShape, shape_of
from app.engine.values import LoadOptions
from tests.support.architectures import MAKERS, Shape, write
from tests.support.rpc import RpcWorker, rpc_worker

MIB = 1024 * 1024
CONTEXTS = (512, 4096, 16384, 32768)
TYPES = ("f16", "q8_0", "q4_0")
SIZES_MIB = (32, 64, 128, 256)
OWN_BYTES = 32 * MIB
"""What a worker takes for itself beside the memory it lends: the stacks of its threads, and messages."""

MODEL = Shape(n_layer=8, n_embd=512, n_head=8, n_head_kv=4, head=64, n_ff=1024, n_ff_expert=512, n_vocab=4096)
LAYERS = {"gemma3n": 24, "gemma3": 12}  # whose pattern needs more
MAIN_BYTES = 64 * 1024 * MIB


@dataclass(frozen=True)
class Cell:
    """One question of the matrix."""

    architecture: str
    n_ctx: int
    kv: str
    size_mib: int

    def __str__(self) -> str:
        return f"{self.architecture}, {self.n_ctx} tokens, {self.kv}, {self.size_mib} MiB"


@dataclass(frozen=True)
class Answer:
    """What became of it. `wrong` says what was, and is empty if nothing; `off` is how far the worst device was from
    its exact plan, as a part of what is allowed (3 % or 1 MiB)."""

    cell: Cell
    layers: int
    of: int
    wrong: str = ""
    off: float = 0.0
    loaded: bool = False


def cells() -> list[Cell]:
    """All of them."""
    return [Cell(*one) for one in itertools.product(MAKERS, CONTEXTS, TYPES, SIZES_MIB)]


class Matrix:
    """The processes and files that cells need; workers are started once for each size."""

    def __init__(self, folder: Path, probe: Probe, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._probe = probe
        self._stack = stack
        self._workers: dict[int, RpcWorker] = {}
        self._names: dict[int, str] = {}
        self._shapes: dict[str, tuple[Path, ModelShape]] = {}

    def answer(self, cell: Cell) -> Answer:
        """Asks, loads, and looks."""
        path, shape = self._model(cell.architecture)
        worker = self._worker(cell.size_mib)
        size = cell.size_mib * MIB
        device = Device(
            name=self._names[cell.size_mib], description="", kind="gpu", backend="RPC", host="192.0.2.1",
            memory_free_bytes=size, memory_total_bytes=size,
        )  # fmt: skip
        machine = Machine(memory_total_bytes=MAIN_BYTES, memory_free_bytes=MAIN_BYTES, devices=(device,))
        asked = LoadOptions(n_ctx=cell.n_ctx, type_k=cell.kv, type_v=cell.kv, rpc=(worker.endpoint,), n_threads=1)
        options = best(shape, asked, machine)
        total = shape.n_layer + 1
        answer = Answer(cell, options.n_gpu_layers, total)
        whole = msgspec.structs.replace(options, n_gpu_layers=total, devices=(device.name,), layers_on=(total,))
        exact = self._probe.plan(path, whole)
        if options.n_gpu_layers < total and Room.of(machine).holds(_grown(exact)):
            return _wrong(answer, "all layers were refused and would fit")
        if options.n_gpu_layers < total:
            exact = self._probe.plan(path, options)
        return self._load(answer, path, options, exact, shape, machine)

    def _load(
        self, answer: Answer, path: Path, options: LoadOptions, exact: MemoryPlan, shape: ModelShape, machine: Machine
    ) -> Answer:
        try:
            loaded = self._probe.load(path, options)
        except EngineError as error:
            needed = sizes(estimate(shape, options, machine.devices))
            return _wrong(answer, f"{type(error).__name__} {error.detail[-200:]} (reckoned {needed})")
        self._probe.unload()
        planned, taken = sizes(exact), {share.name: share.total_bytes for share in loaded.shares}
        if planned.keys() != taken.keys():
            return _wrong(answer, f"planned on {sorted(planned)}, loaded on {sorted(taken)}")
        off = max(abs(planned[name] - size) / max(0.03 * size, MIB) for name, size in taken.items())
        return Answer(answer.cell, answer.layers, answer.of, "" if off <= 1 else f"{planned} became {taken}", off, True)

    def _model(self, architecture: str) -> tuple[Path, ModelShape]:
        if architecture not in self._shapes:
            path = self._folder / f"{architecture}.gguf"
            write(path, architecture, replace(MODEL, n_layer=LAYERS.get(architecture, MODEL.n_layer)))
            self._shapes[architecture] = path, shape_of(check_loadable(path))
        return self._shapes[architecture]

    def _worker(self, size_mib: int) -> RpcWorker:
        if size_mib not in self._workers:
            self._names[size_mib] = f"RPC{len(self._workers)}"
            self._workers[size_mib] = self._stack.enter_context(rpc_worker(memory_bytes=size_mib * MIB + OWN_BYTES))
        return self._workers[size_mib]


def _wrong(answer: Answer, why: str) -> Answer:
    return Answer(answer.cell, answer.layers, answer.of, why)


def _grown(plan: MemoryPlan) -> dict[str, int]:
    """What an exact plan takes, and as much more as a computed one may be off."""
    return {name: size + round(max(0.03 * size, MIB)) for name, size in sizes(plan).items()}


def answers(folder: Path, asked: Sequence[Cell]) -> Iterator[Answer]:
    """The answers to some cells, one after another."""
    with contextlib.ExitStack() as stack:
        matrix = Matrix(folder, stack.enter_context(probing(worker_command())), stack)
        for cell in asked:
            yield matrix.answer(cell)
