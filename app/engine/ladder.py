"""What to try next when a load failed: each rung gives something up, says so in one line, and needs less. Pure.

Whether a failure is worth another rung (memory, a driver) is told by evidence elsewhere; a bad file has none.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from app.base.sizes import size_words
from app.engine.fit import WIDE_TYPES, Costs, context_length, devices_of
from app.engine.hardware import Machine, MemoryPlan
from app.engine.placing import SMALL_BATCH, SMALLER
from app.engine.shape import ModelShape
from app.engine.values import LoadOptions, Step

LEAST_CONTEXT = 2048
"""A shorter context is of no use for a conversation: no rung goes below it."""


def steps(shape: ModelShape, options: LoadOptions, machine: Machine) -> Iterator[Step]:
    """What to try after `options` failed for memory, one after another: fewer layers on devices (of a mixture of
    experts first more experts in main memory), a smaller compute batch, a smaller cache, a shorter context, and the
    CPU alone. Each needs less than the one before: of the devices while layers lie there, or in all. Nothing is left
    to try when it ends."""
    present = Costs.of(shape, options).plan(options, machine.devices)
    options = _as_planned(options, present, machine)
    for step in _rungs(shape, options, machine):
        needed = Costs.of(shape, step.options).plan(step.options, machine.devices)
        if _less(needed, present):
            present = needed
            yield step


def without_devices(options: LoadOptions) -> Step:
    """The CPU alone, at once: what to try after a fault of a driver or of another computer."""
    return Step(options=_alone(options), sentence="On the processor alone, because a graphics device failed.")


def _less(needed: MemoryPlan, before: MemoryPlan) -> bool:
    """Whether a plan takes less of the devices, or as little of them and less in all."""
    on, was = needed.total_bytes - needed.shares[0].total_bytes, before.total_bytes - before.shares[0].total_bytes
    return on < was or (on == was and needed.total_bytes < before.total_bytes)


def _as_planned(options: LoadOptions, plan: MemoryPlan, machine: Machine) -> LoadOptions:
    """The same with layers and context told in numbers."""
    if not plan.n_gpu_layers:
        return msgspec.structs.replace(_off(options), n_ctx=plan.n_ctx)
    names = {device.name for device in devices_of(options, machine.devices)}
    used = [share for share in plan.shares if share.name in names]
    return msgspec.structs.replace(
        options,
        n_ctx=plan.n_ctx,
        n_gpu_layers=plan.n_gpu_layers,
        devices=tuple(share.name for share in used),
        layers_on=tuple(share.layers for share in used),
    )


def _rungs(shape: ModelShape, options: LoadOptions, machine: Machine) -> Iterator[Step]:
    """The rungs, in order; one that gives nothing up with this model is left out by `steps`."""
    layers, total = options.n_gpu_layers, shape.n_layer + 1
    first = max(total - layers, 0)
    there = [layer for layer in range(first, shape.n_layer) if shape.layer_expert_bytes[layer]]
    there = [layer for layer in there if layer >= options.n_cpu_experts]
    if layers and there:
        for count in sorted({len(there) // 2, len(there) - 1}):
            options = msgspec.structs.replace(options, n_cpu_experts=there[count] + 1)
            here = sum(1 for size in shape.layer_expert_bytes[: options.n_cpu_experts] if size)
            of = sum(1 for size in shape.layer_expert_bytes if size)
            yield Step(options=options, sentence=f"The experts of {here} of {of} layers stay in main memory.")
    for part in (3, 2):  # quarters
        fewer = layers * part // 4
        if 0 < fewer < options.n_gpu_layers:
            said = f"Fewer layers on the graphics device: {fewer} of {total} instead of {options.n_gpu_layers}."
            options = _with_layers(options, fewer)
            yield Step(options=options, sentence=said)
    if options.n_ubatch > SMALL_BATCH:
        said = f"A smaller compute batch: {SMALL_BATCH} tokens at once instead of {options.n_ubatch}."
        options = msgspec.structs.replace(options, n_ubatch=SMALL_BATCH)
        yield Step(options=options, sentence=said)
    if shape.can_quantize_cache and (options.type_k in WIDE_TYPES or options.type_v in WIDE_TYPES):
        smaller = msgspec.structs.replace(options, type_k=SMALLER, type_v=SMALLER)
        much, less = (size_words(Costs.of(shape, one).caches[-1]) for one in (options, smaller))
        options = smaller
        yield Step(options=options, sentence=f"The conversation's memory in 8 bit: {less} instead of {much}.")
    if options.n_cells > options.n_ctx:
        said = f"Room for one conversation at a time: {options.n_ctx:,} tokens instead of {options.n_cells:,}."
        options = msgspec.structs.replace(options, n_cells=0)
        yield Step(options=options, sentence=said)
    while context_length(shape, options) > LEAST_CONTEXT:
        shorter = max(context_length(shape, options) // 2, LEAST_CONTEXT)
        said = f"A shorter context: {shorter:,} tokens instead of {context_length(shape, options):,}."
        options = msgspec.structs.replace(options, n_ctx=shorter)
        yield Step(options=options, sentence=said)
    if options.n_gpu_layers:
        said = f"On the processor alone: none of {options.n_gpu_layers} layers on the graphics device."
        yield Step(options=_alone(options), sentence=said)


def _with_layers(options: LoadOptions, count: int) -> LoadOptions:
    """So many layers on the devices, in the same proportions."""
    had = sum(options.layers_on)
    spread = [count * layers // had for layers in options.layers_on]
    for index in range(count - sum(spread)):  # what rounding left over
        spread[index % len(spread)] += 1
    used = [(name, layers) for name, layers in zip(options.devices, spread, strict=True) if layers]
    return msgspec.structs.replace(
        options,
        n_gpu_layers=count,
        devices=tuple(name for name, _ in used),
        layers_on=tuple(layers for _, layers in used),
    )


def _off(options: LoadOptions) -> LoadOptions:
    return msgspec.structs.replace(options, n_gpu_layers=0, devices=(), layers_on=(), n_cpu_experts=0, offload_kv=True)


def _alone(options: LoadOptions) -> LoadOptions:
    """Without any device, and without other computers."""
    return msgspec.structs.replace(_off(options), rpc=())
