"""What will fit where, and what a model will be like: pure functions over a model's shape, a plan and a machine.

Nothing is read, measured or started here. Plans computed here are not exact; a plan that llama.cpp made (worker) goes
through the same verdict. Which options to load with is chosen by placing.py; here they are taken as they are.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import msgspec

from app.base.sizes import size_words
from app.engine.budgets import (
    MARGIN_BYTES,
    Room,
    is_remote,
    main_memory_bytes,
    margin_bytes,
    shares_main_memory,
)
from app.engine.hardware import Device, DeviceShare, Fit, Machine, MemoryPlan, Verdict
from app.engine.shape import CELLS, ModelShape
from app.engine.speed import tokens_per_s, ttft_s
from app.engine.values import LoadOptions

DEFAULT_N_CTX = 8192

WIDE_TYPES = ("f32", "f16", "bf16")
"""Types of the cache that are not quantized."""

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
    """What the parts of a model take with a context, in bytes, wherever they will lie.

    `weights`, `experts` and `caches` are sums over the layers before each one, so that any run of layers is told by a
    difference; in the weights the output comes last, with its copy of a tied embedding. `caches` hold states too.
    `work` is the working buffer of a device that has layers, `rest` if all experts are elsewhere, `feed` that of main
    memory when all layers are elsewhere, `logits` what main memory holds for the results; `copies` and `scores` come on
    top where several devices follow each other, and where attention falls apart (shape.py).
    """

    shape: ModelShape
    n_ctx: int
    weights: tuple[int, ...]
    experts: tuple[int, ...]
    caches: tuple[int, ...]
    work: int
    rest: int
    feed: int
    logits: int
    copies: int
    scores: int

    @classmethod
    def of(cls, shape: ModelShape, options: LoadOptions) -> Costs:
        """For the context, the cache's types and the batch that options tell."""
        n_ctx = context_length(shape, options)
        slots = max(options.n_seq_max, 1)
        held = max(options.n_cells, n_ctx)
        caches = zip(shape.kv_layer_bytes(held, options), shape.layers, strict=True)
        output = shape.output_bytes + (shape.embedding_bytes if shape.tied else 0)
        # Where all can be cut there is one sequence more, for copies on their way to a file.
        rows = slots if any(layer.window or layer.state for layer in shape.layers) else slots + 1
        return cls(
            shape=shape,
            n_ctx=n_ctx,
            weights=tuple(accumulate((*shape.layer_bytes, output), initial=0)),
            experts=tuple(accumulate((*shape.layer_expert_bytes, 0), initial=0)),
            caches=tuple(accumulate((*(size + 4 * layer.state * slots for size, layer in caches), 0), initial=0)),
            work=shape.compute_bytes(held, options),
            rest=shape.compute_bytes(held, options, experts=False),
            feed=shape.feed_bytes(held, options),
            logits=4 * shape.n_vocab * rows,
            copies=shape.copies_bytes(held, options),
            scores=shape.scores_bytes(held, options),
        )

    def before(self, layer: int, kept: int, cached: bool) -> int:
        """What the layers before this one would take of devices, working buffers left out, if the experts of the first
        `kept` stay in main memory; with their caches or not."""
        return self.weights[layer] - self.experts[min(layer, kept)] + (self.caches[layer] if cached else 0)

    def working(self, options: LoadOptions, kept: int, counts: Sequence[int], devices: Sequence[Device]) -> list[int]:
        """The working buffers: of main memory, then of each device, if they take so many layers and the experts of the
        first `kept` stay in main memory.

        With devices that compute for others (ggml's `offload_op`), prompts are read with copies of what stays in main
        memory, one matrix after another: the first device has room for the largest.
        """
        shape, cached = self.shape, options.offload_kv
        first = shape.n_layer + 1 - sum(counts)
        used = [index for index, count in enumerate(counts) if count]
        whole = not first and not self.experts[kept] and cached
        main = self.feed if whole else self.work
        work = self.work if self.experts[-1] > self.experts[max(first, kept)] else self.rest
        fetched = max((after - before for before, after in pairwise(self.caches)), default=0)
        if self._falls_apart(options, first):
            # A quantized cache insists on the one operation: then what it needs is fetched from where it lies.
            more = self.scores if options.type_v in WIDE_TYPES else fetched + self.feed
            main, work = main + more, work + more
        if whole and len(used) > 1:
            main, work = main + self.copies, work + self.copies
            if shape.layer_inputs or not any(layer.k for layer in shape.layers):
                work += 2 * self.work  # more goes from one to the next than an embedding
        if not cached:  # a compressed one (MLA) is spread out, too
            work += fetched if any(layer.v for layer in shape.layers) else 3 * fetched
        buffers = [work] * len(counts)
        if used and not whole and not is_remote(devices[used[0]]):
            stay = (*shape.layer_widest[:first], *shape.expert_widest[: max(first, kept)])
            buffers[used[0]] += max(stay, default=0)
        return [main, *buffers]

    def _falls_apart(self, options: LoadOptions, first: int) -> bool:
        """Whether attention is computed elsewhere than in its layer's place, and so not in one operation: seen where
        the first layer on a device has a state and the last one in main memory attention, and where models with both
        have caches in main memory. `first`: the first layer on a device."""
        layers = self.shape.layers
        if not options.offload_kv and first <= len(layers):
            return any(layer.state for layer in layers) and any(layer.k for layer in layers)
        return 0 < first < len(layers) and bool(layers[first - 1].k) and not layers[first].k

    def plan(self, options: LoadOptions, devices: Sequence[Device]) -> MemoryPlan:
        """Where it all lies."""
        shape = self.shape
        named = devices_of(options, devices)
        total = shape.n_layer + 1
        wanted = total if options.n_gpu_layers < 0 else min(options.n_gpu_layers, total)
        on = wanted if named else 0
        first = total - on
        kept = min(max(options.n_cpu_experts, first), total)
        weights = (self.weights[first] if on else sum(shape.layer_bytes) + shape.output_bytes) + shape.input_bytes
        weights += self.experts[kept] - self.experts[first]
        caches = self.caches[first if options.offload_kv else total]
        counts = _counts(on, options, named)
        main, *works = self.working(options, kept, counts, named)
        shares = [_share(_CPU, "cpu", weights, caches, main + self.logits, first)]
        for device, count, work in zip(named, counts, works, strict=True):
            if not count:
                continue
            after = first + count
            weights = self.weights[after] - self.weights[first]
            weights -= self.experts[min(max(kept, first), after)] - self.experts[first]
            caches = self.caches[after] - self.caches[first] if options.offload_kv else 0
            shares.append(_share(device.name, device.kind, weights, caches, work, count))
            first = after
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


def beyond(plan: MemoryPlan, computed: MemoryPlan) -> MemoryPlan:
    """What `plan` takes of each device beyond what was computed, as a plan of its own."""
    known = sizes(computed)
    shares = tuple(
        _share(share.name, share.kind, 0, 0, max(share.total_bytes - known.get(share.name, 0), 0), 0)
        for share in plan.shares
    )
    return MemoryPlan(n_ctx=plan.n_ctx, n_gpu_layers=0, exact=plan.exact, shares=shares)


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
        return f"{needs}, and {_what_there_is(machine)}."
    place = _place([devices[share.name] for share in plan.shares if share.name in devices])
    if verdict is Verdict.GPU:
        words = f"{needs}, of which {size_words(cards)} lie on {place}."
    elif verdict is Verdict.PARTLY:
        words = f"{needs}: {size_words(cards)} fit on {place}, {size_words(main)} stay in memory."
    else:
        words = f"{needs}, and this computer has {there} of memory."
    if not now:
        words += f" At this moment only {size_words(machine.memory_free_bytes)} are free."
    return words


def _what_there_is(machine: Machine) -> str:
    """The memory of the computer and of its devices, and how much of it is left alone."""
    if not machine.memory_total_bytes:
        return "how much memory this computer has is not known"
    own = [device for device in machine.devices if device.memory_total_bytes and not shares_main_memory(device)]
    sizes: dict[str, int] = {}
    for device in own:  # those of one other computer report its memory, each of them all of it
        place = device.host or device.name
        sizes[place] = max(device.memory_total_bytes, sizes.get(place, 0))
    kept = MARGIN_BYTES + sum(map(margin_bytes, sizes.values()))
    more = f" and {size_words(sum(sizes.values()))} on {_place(own)}" if own else ""
    return f"there are {size_words(machine.memory_total_bytes)} of memory{more}, of which {size_words(kept)} stay free"


def _place(used: Sequence[Device]) -> str:
    """What people call these devices."""
    remote = sum(is_remote(device) for device in used)
    if not remote:
        return "the graphics card" if len(used) == 1 else "the graphics cards"
    far = "another computer" if len({device.host for device in used if is_remote(device)}) == 1 else "other computers"
    return far if remote == len(used) else f"the graphics card and {far}"
