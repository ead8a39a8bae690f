"""How much memory a model would take, and on which device, by going through its load and its context without them.

What llama.cpp says of it (reported.py) in mebibytes with two digits is replaced by the exact number wherever the header
gives it. Nothing is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from app.engine.errors import EngineError, InternalError, OutOfMemory
from app.engine.gguf import check_loadable, read_others
from app.engine.gguf_header import Header
from app.engine.hardware import MemoryPlan
from app.engine.shape import ModelShape, shape_of
from app.engine.values import LoadOptions
from app.engine.worker.context import Abort, Context
from app.engine.worker.cores import physical_cores
from app.engine.worker.loading import check, layers_ahead, reach, told
from app.engine.worker.model import Model
from app.engine.worker.placement import counted
from app.engine.worker.reported import MAIN, MIB, Owners, Report, assigned_weights, listening, n_gpu_layers

MAX_STATE_BYTES = 2 * 1024**3
"""Recurrent states are really taken, even here: a header that asks for more than any model has is refused."""


def plan(path: Path, options: LoadOptions) -> MemoryPlan:
    """What the file would take with these options. Raises EngineError."""
    headers, shape = _read(path)
    if shape.state_bytes > MAX_STATE_BYTES:
        raise OutOfMemory(f"recurrent states of {shape.state_bytes} bytes")
    reach(options.rpc)
    ahead = layers_ahead(headers)
    with listening() as report, told(path):
        model = Model(path, counted(options, ahead), lambda fraction: True, weightless=True)
        try:
            context = Context(model, options, options.n_threads or physical_cores(), Abort())
            n_ctx = context.n_ctx
            context.close()
        finally:
            model.close()
    if len(report.assigned) <= shape.n_layer or not report.buffers:
        raise InternalError("this llama.cpp does not say where memory goes")
    report.leave_out(ahead)
    owners = Owners(options.rpc)
    weights = assigned_weights(report, shape, headers, owners, mapped=options.mapped)
    compute = report.sums(owners, "compute", "output")
    for name, size in _counted_twice(report, shape, headers, options, n_ctx, owners).items():
        compute[name] -= size
    shares = owners.shares(report, weights, _kept(report, shape, options, n_ctx, owners), compute)
    return MemoryPlan(n_ctx=n_ctx, n_gpu_layers=n_gpu_layers(shares), exact=True, shares=shares)


def _read(path: Path) -> tuple[Sequence[Header], ModelShape]:
    headers = (check_loadable(path), *read_others(path))
    try:
        return headers, shape_of(*headers)
    except EngineError:
        check(path, thoroughly=True)  # llama.cpp may know better what is wrong
        raise


def _counted_twice(
    report: Report, shape: ModelShape, headers: Sequence[Header], options: LoadOptions, n_ctx: int, owners: Owners
) -> dict[str, float]:
    """What a load with weights does not take where the layers of one device follow those of another.

    WORKAROUND: ggml_backend_sched_reserve_size forgets where llama.cpp put the first norm of a layer when everything is
    on devices (llama-context.cpp, graph_get_cb), so that in a plan its result crosses too. It can go once a plan is
    equal without it.
    """
    found: dict[str, float] = defaultdict(float)
    if report.copies > 1 and MAIN not in map(owners.of, report.assigned.values()):
        names = {tensor.name for header in headers for tensor in header.tensors}
        for layer in range(1, shape.n_layer):
            owner = owners.of(report.assigned[layer])
            if (
                owner != owners.of(report.assigned[layer - 1])
                and f"blk.{layer}.attn_norm.weight" in names
                and "altup_proj.weight" not in names
            ):
                found[owner] += 4 * report.copies * shape.n_embd * min(options.n_ubatch, options.n_batch, n_ctx)
    return found


def _kept(report: Report, shape: ModelShape, options: LoadOptions, n_ctx: int, owners: Owners) -> dict[str, float]:
    """What conversations leave behind, by owner: caches, which were not taken here, and states, which were."""
    kv: dict[str, float] = defaultdict(float, report.sums(owners, "RS"))
    expected = shape.kv_layer_bytes(n_ctx, options)
    for layers, total in report.caches:
        parts = {layer: float(expected[layer]) if layer < len(expected) else 0.0 for layer in layers}
        known = sum(parts.values())
        # The header's number where it is the one that was printed; where the architecture stores something else, the
        # printed one, in the proportions of the layers.
        factor = 1.0 if known and abs(known - total) <= 0.01 * MIB else total / known if known else 0.0
        for layer, name in layers.items():
            kv[owners.of(name)] += parts[layer] * factor if known else total / len(layers)
        if not layers:
            kv[""] += total
    return kv
