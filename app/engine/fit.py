"""What will fit where, and what a model will be like: pure functions over a model's shape, a plan and a machine.

Nothing is read, measured or started here. Plans computed here are not exact; a plan that llama.cpp made (worker) goes
through the same verdict. Which options to load with is chosen by placing.py; here they are taken as they are.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from app.base.sizes import size_words
from app.engine.budgets import Room, is_remote, main_memory_bytes
from app.engine.hardware import Device, DeviceShare, Fit, Machine, MemoryPlan, Verdict
from app.engine.shape import CELLS, ModelShape
from app.engine.speed import tokens_per_s, ttft_s
from app.engine.values import LoadOptions

DEFAULT_N_CTX = 8192

_CPU = "CPU"


# --- plans --------------------------------------------------------------------------------------------------------


def context_length(shape: ModelShape, options: LoadOptions) -> int:
    """The context that these options give: not longer than the model was trained for, at least one block of cells."""
    wanted = options.n_ctx or DEFAULT_N_CTX
    return max(min(wanted, shape.n_ctx_train or wanted), CELLS)


def devices_of(options: LoadOptions, devices: Sequence[Device]) -> list[Device]:
    """Those of `devices` that options name, in their order; all where none is named; none without layers for them."""
    if not options.n_gpu_layers:
        return []
    known = {device.name: device for device in devices}
    return [known[name] for name in options.devices if name in known] if options.devices else list(devices)


def estimate(shape: ModelShape, options: LoadOptions, devices: Sequence[Device] = ()) -> MemoryPlan:
    """The plan of a load, computed. `devices` are those there are; options say which of them take how many layers."""
    return Costs.of(shape, options).plan(options, devices)


@dataclass(frozen=True)
class Costs:
    """What the parts of a model take with a context, in bytes, wherever they will lie. `caches` hold states too.

    `work` is the working buffer of a device that has layers, `feed` that of main memory when all layers are elsewhere,
    `logits` what main memory holds for the results.
    """

    shape: ModelShape
    n_ctx: int
    caches: tuple[int, ...]
    work: int
    feed: int
    logits: int

    @classmethod
    def of(cls, shape: ModelShape, options: LoadOptions) -> Costs:
        """For the context, the cache's types and the batch that options tell."""
        n_ctx = context_length(shape, options)
        slots = max(options.n_seq_max, 1)
        held = max(options.n_cells, n_ctx)
        caches = zip(shape.kv_layer_bytes(held, options), shape.layers, strict=True)
        # Where all can be cut there is one sequence more, for copies on their way to a file.
        rows = slots if any(layer.window or layer.state for layer in shape.layers) else slots + 1
        return cls(
            shape=shape,
            n_ctx=n_ctx,
            caches=tuple(cache + 4 * layer.state * slots for cache, layer in caches),
            work=shape.compute_bytes(held, options),
            feed=shape.feed_bytes(held, options),
            logits=4 * shape.n_vocab * rows,
        )

    def on_device(self, options: LoadOptions) -> list[int]:
        """What each layer would take of a device's memory, its working buffers left out; the output last."""
        shape, kept = self.shape, options.n_cpu_experts
        found = [
            size - (experts if layer < kept else 0) + (cache if options.offload_kv else 0)
            for layer, (size, experts, cache) in enumerate(
                zip(shape.layer_bytes, shape.layer_expert_bytes, self.caches, strict=True)
            )
        ]
        return [*found, shape.output_bytes + (shape.embedding_bytes if shape.tied else 0)]

    def borrowed(self, options: LoadOptions, on: int) -> int:
        """The largest matrix among those that stay in main memory: for reading prompts, cards compute with a copy of
        it (ggml's `offload_op`)."""
        first = self.shape.n_layer + 1 - on
        stay = [*self.shape.layer_widest[:first], *self.shape.expert_widest[: max(first, options.n_cpu_experts)]]
        return max(stay, default=0)

    def plan(self, options: LoadOptions, devices: Sequence[Device]) -> MemoryPlan:
        """Where it all lies."""
        shape = self.shape
        named = devices_of(options, devices)
        total = shape.n_layer + 1
        wanted = total if options.n_gpu_layers < 0 else min(options.n_gpu_layers, total)
        on = wanted if named else 0
        counts = _counts(on, options, named)
        first = total - on
        everything = self.on_device(msgspec.structs.replace(options, n_cpu_experts=0, offload_kv=False))
        kept = range(first, max(min(options.n_cpu_experts, shape.n_layer), first))
        here = sum(everything[: min(first, shape.n_layer)]) + sum(shape.layer_expert_bytes[layer] for layer in kept)
        here += shape.input_bytes + (0 if on else shape.output_bytes)
        here_kv = sum(self.caches[:first] if options.offload_kv else self.caches)
        computing = first > 0 or kept or not options.offload_kv
        main = (self.work if computing else self.feed) + self.logits
        shares = [_share(_CPU, "cpu", here, here_kv, main, first)]
        for index, (device, count) in enumerate(zip(named, counts, strict=True)):
            if not count:
                continue
            layers = range(first, min(first + count, shape.n_layer))
            weights = sum(everything[first : first + count]) - sum(
                shape.layer_expert_bytes[layer] for layer in layers if layer in kept
            )
            kv = sum(self.caches[layer] for layer in layers) if options.offload_kv else 0
            compute = self.work
            if not index and not is_remote(device) and computing:
                compute += self.borrowed(options, on)
            shares.append(_share(device.name, device.kind, weights, kv, compute, count))
            first += count
        return MemoryPlan(n_ctx=self.n_ctx, n_gpu_layers=on, exact=False, shares=tuple(shares))


def _share(name: str, kind: str, weights: int, kv: int, compute: int, layers: int) -> DeviceShare:
    return DeviceShare(name=name, kind=kind, weights_bytes=weights, kv_bytes=kv, compute_bytes=compute, layers=layers)


def _counts(on: int, options: LoadOptions, devices: Sequence[Device]) -> list[int]:
    """How many layers each device takes: as options say, else as llama.cpp spreads them, in proportion to the free
    memory."""
    if options.layers_on and len(options.layers_on) == len(devices) and sum(options.layers_on) == on:
        return list(options.layers_on)
    free = [max(device.memory_free_bytes, 1) for device in devices]
    bounds = [sum(free[: index + 1]) / sum(free) for index in range(len(free))]
    counts = [0] * len(devices)
    for layer in range(on):
        counts[min(bisect.bisect_right(bounds, layer / on), len(devices) - 1)] += 1
    return counts


# --- verdicts -----------------------------------------------------------------------------------------------------


def holds(plan: MemoryPlan, machine: Machine) -> bool:
    """Whether the machine has room for a plan, whatever else is running."""
    return Room.of(machine).holds(sizes(plan))


def sizes(plan: MemoryPlan) -> dict[str, int]:
    """What a plan takes of each device."""
    return {share.name: share.total_bytes for share in plan.shares}


def shortage(plan: MemoryPlan, machine: Machine) -> tuple[int, int] | None:
    """Bytes of main memory that a load needs and that are free at this moment, if they are not enough and the system
    would have to swap; else None. What is mapped from files counts as needed, and what the system keeps of files as
    free."""
    needed = main_memory_bytes(plan, machine)
    free = machine.memory_free_bytes
    return (needed, free) if machine.memory_total_bytes > 0 and free < needed else None


def fit(shape: ModelShape, options: LoadOptions, machine: Machine, plan: MemoryPlan | None = None) -> Fit:
    """What the model will be like with these very options. `plan` is the exact one for them, where it is known."""
    if plan is None:
        plan = estimate(shape, options, machine.devices)
    room = Room.of(machine)
    on = any(share.name in room.devices and share.weights_bytes for share in plan.shares)
    verdict = Verdict.NO
    if room.holds(sizes(plan)):
        whole = plan.n_gpu_layers > shape.n_layer and not any(shape.layer_expert_bytes[: options.n_cpu_experts])
        verdict = Verdict.MEMORY if not on else Verdict.GPU if whole else Verdict.PARTLY
    now = Room.of(machine, now=True).holds(sizes(plan))
    return Fit(
        plan=plan,
        verdict=verdict,
        max_ctx=max_context(shape, options, machine, plan),
        tokens_per_s=tokens_per_s(shape, options, machine, plan),
        ttft_s=ttft_s(shape, options, machine, plan),
        why=_why(verdict, plan, machine, now),
        fits_now=now,
    )


def max_context(shape: ModelShape, options: LoadOptions, machine: Machine, plan: MemoryPlan | None = None) -> int:
    """The longest context that fits with as many layers where they are; 0 if none does.

    What `plan` knows better than the formulae is added to theirs.
    """
    room = Room.of(machine)
    known = plan or estimate(shape, options, machine.devices)
    usual = estimate(shape, msgspec.structs.replace(options, n_ctx=known.n_ctx), machine.devices)
    beyond = sizes(known)
    for share in usual.shares:
        beyond[share.name] = beyond.get(share.name, 0) - share.total_bytes

    def fits(cells: int) -> bool:
        guess = estimate(shape, msgspec.structs.replace(options, n_ctx=cells * CELLS), machine.devices)
        return room.holds({name: size + beyond.get(name, 0) for name, size in sizes(guess).items()})

    trained = shape.n_ctx_train or known.n_ctx
    cells = last(fits, -(-trained // CELLS))
    return min(cells * CELLS, trained)


def last(holds: Callable[[int], bool], most: int) -> int:
    """The largest number of 1..most for which it holds, if it holds for all smaller ones; 0 for none."""
    low, high = 0, max(most, 0)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


# --- words --------------------------------------------------------------------------------------------------------


def _why(verdict: Verdict, plan: MemoryPlan, machine: Machine, now: bool) -> str:
    devices = {device.name: device for device in machine.devices}
    main = sum(share.total_bytes for share in plan.shares if share.name not in devices)
    cards = sum(share.total_bytes for share in plan.shares if share.name in devices)
    there = size_words(machine.memory_total_bytes)
    needs = f"It needs {size_words(plan.total_bytes)}"
    if verdict is Verdict.NO:
        return f"{needs}, and this computer has {there} of memory, of which 1 GiB is kept free."
    if verdict is Verdict.GPU:
        words = f"{needs}, of which {size_words(cards)} lie on the graphics card."
    elif verdict is Verdict.PARTLY:
        words = f"{needs}: {size_words(cards)} fit on the graphics card, {size_words(main)} stay in memory."
    else:
        words = f"{needs}, and this computer has {there} of memory."
    if not now:
        words += f" At this moment only {size_words(machine.memory_free_bytes)} are free."
    return words
