"""What will fit where, and how fast it will be: pure functions over a model's shape, a plan and a machine.

Nothing is read, measured or started here. Plans computed here are not exact; a plan that llama.cpp made (worker) goes
through the same verdict. As llama.cpp's own fitting does, a gibibyte of every device is left free.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from app.base.sizes import size_words
from app.engine.hardware import Device, DeviceShare, Fit, Machine, MemoryPlan, Verdict
from app.engine.shape import CELLS, ModelShape
from app.engine.values import LoadOptions

MARGIN_BYTES = 1024 * 1024 * 1024
PROMPT_TOKENS = 1000  # of the time to the first token
DEFAULT_N_CTX = 8192

_CPU = "CPU"


# --- plans --------------------------------------------------------------------------------------------------------


def context_length(shape: ModelShape, options: LoadOptions) -> int:
    """The context that these options give: not longer than the model was trained for, at least one block of cells."""
    wanted = options.n_ctx or DEFAULT_N_CTX
    return max(min(wanted, shape.n_ctx_train or wanted), CELLS)


def estimate(shape: ModelShape, options: LoadOptions, devices: Sequence[Device] = ()) -> MemoryPlan:
    """The plan of a load, computed. `devices` are those that may take layers, as many as `n_gpu_layers` says.

    Layers go to devices as llama.cpp spreads them: the last ones first, in proportion to the devices' free memory.
    """
    n_ctx = context_length(shape, options)
    total = shape.n_layer + 1
    wanted = total if options.n_gpu_layers < 0 else min(options.n_gpu_layers, total)
    on = wanted if devices else 0
    owners = _owners(total, on, devices)
    weights, kv = [0] * (len(devices) + 1), [0] * (len(devices) + 1)
    slots = max(options.n_seq_max, 1)
    held = max(options.n_cells, n_ctx)
    caches = shape.kv_layer_bytes(held, options)
    for layer, owner in enumerate(owners[:-1]):
        weights[owner] += shape.layer_bytes[layer]
        kv[owner] += caches[layer] + 4 * shape.layers[layer].state * slots
    weights[0] += shape.input_bytes
    weights[owners[-1]] += shape.output_bytes
    if shape.tied and owners[-1]:
        weights[owners[-1]] += shape.embedding_bytes
    # Where all can be cut there is one sequence more, for copies on their way to a file.
    rows = slots if any(layer.window or layer.state for layer in shape.layers) else slots + 1
    work, logits = shape.compute_bytes(held, options), 4 * shape.n_vocab * rows
    here = work if 0 in owners[:-1] else shape.feed_bytes(held, options)
    shares = [_share(_CPU, "cpu", weights[0], kv[0], here + logits)]
    for index, device in enumerate(devices, 1):
        if index in owners:
            shares.append(_share(device.name, device.kind, weights[index], kv[index], work))
    return MemoryPlan(n_ctx=n_ctx, n_gpu_layers=on, exact=False, shares=tuple(shares))


def _share(name: str, kind: str, weights: int, kv: int, compute: int) -> DeviceShare:
    return DeviceShare(name=name, kind=kind, weights_bytes=weights, kv_bytes=kv, compute_bytes=compute)


def _owners(total: int, on: int, devices: Sequence[Device]) -> list[int]:
    """For each layer, the output last: 0 for main memory, else the device's number from 1."""
    first = total - on
    free = [max(device.memory_free_bytes, 1) for device in devices]
    bounds = [sum(free[: index + 1]) / sum(free) for index in range(len(free))]
    return [
        0 if layer < first else min(bisect.bisect_right(bounds, (layer - first) / on), len(devices) - 1) + 1
        for layer in range(total)
    ]


# --- verdicts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """What a machine has for models: main memory, and each device, a margin left out. Devices that are `sharing` have
    no memory of their own but a part of the main memory."""

    main: int
    devices: dict[str, int]
    sharing: frozenset[str] = frozenset()

    @classmethod
    def of(cls, machine: Machine, *, now: bool = False) -> Room:
        """All there is, or what is free at this moment."""
        main = machine.memory_free_bytes if now else machine.memory_total_bytes
        sizes = {d.name: d.memory_free_bytes if now else d.memory_total_bytes for d in machine.devices}
        # A device that does not tell its memory is trusted with nothing.
        return cls(
            main - MARGIN_BYTES,
            {name: max(size - MARGIN_BYTES, 0) for name, size in sizes.items()},
            frozenset(device.name for device in machine.devices if device.kind == "igpu"),
        )

    def holds(self, sizes: dict[str, int]) -> bool:
        """Whether every device has room for so many bytes of its own, and main memory for all others."""
        main = sum(size for name, size in sizes.items() if name not in self.devices or name in self.sharing)
        return main <= self.main and all(sizes.get(name, 0) <= room for name, room in self.devices.items())


def best_options(shape: ModelShape, options: LoadOptions, machine: Machine) -> LoadOptions:
    """These options with as many layers on the devices as there is room for, if they leave it open (-1)."""
    if options.n_gpu_layers >= 0 or not machine.devices:
        return options
    room = Room.of(machine)
    counts = range(shape.n_layer + 1, -1, -1)
    fitting = (
        n for n in counts if room.holds(_sizes(estimate(shape, _with(options, n_gpu_layers=n), machine.devices)))
    )
    return _with(options, n_gpu_layers=next(fitting, 0))


def holds(plan: MemoryPlan, machine: Machine) -> bool:
    """Whether the machine has room for a plan, whatever else is running."""
    return Room.of(machine).holds(_sizes(plan))


def _sizes(plan: MemoryPlan) -> dict[str, int]:
    return {share.name: share.total_bytes for share in plan.shares}


def fit(shape: ModelShape, options: LoadOptions, machine: Machine, plan: MemoryPlan | None = None) -> Fit:
    """What the model will be like. `plan` is the exact one for `best_options`, where it is known."""
    options = best_options(shape, options, machine)
    if plan is None:
        plan = estimate(shape, options, machine.devices)
    room = Room.of(machine)
    on = any(share.name in room.devices and share.weights_bytes for share in plan.shares)
    verdict = Verdict.NO
    if room.holds(_sizes(plan)):
        whole = plan.n_gpu_layers > shape.n_layer
        verdict = Verdict.MEMORY if not on else Verdict.GPU if whole else Verdict.PARTLY
    now = Room.of(machine, now=True).holds(_sizes(plan))
    return Fit(
        plan=plan,
        verdict=verdict,
        max_ctx=max_context(shape, options, machine, plan),
        tokens_per_s=tokens_per_s(shape, options, machine, plan),
        ttft_s=ttft_s(shape, machine, plan),
        why=_why(verdict, plan, machine, now),
        fits_now=now,
    )


def max_context(shape: ModelShape, options: LoadOptions, machine: Machine, plan: MemoryPlan | None = None) -> int:
    """The longest context that fits with as many layers where they are; 0 if none does.

    What `plan` knows better than the formulae is added to theirs.
    """
    room = Room.of(machine)
    known = plan or estimate(shape, options, machine.devices)
    usual = estimate(shape, _with(options, n_ctx=known.n_ctx), machine.devices)
    beyond = {share.name: share.total_bytes for share in known.shares}
    for share in usual.shares:
        beyond[share.name] = beyond.get(share.name, 0) - share.total_bytes

    def fits(cells: int) -> bool:
        guess = estimate(shape, _with(options, n_ctx=cells * CELLS), machine.devices)
        return room.holds({share.name: share.total_bytes + beyond.get(share.name, 0) for share in guess.shares})

    trained = shape.n_ctx_train or known.n_ctx
    cells = _last(fits, -(-trained // CELLS))
    return min(cells * CELLS, trained)


def _last(holds: Callable[[int], bool], most: int) -> int:
    """The largest number of 1..most for which it holds, if it holds for all smaller ones; 0 for none."""
    low, high = 0, max(most, 0)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


# --- speed --------------------------------------------------------------------------------------------------------


def tokens_per_s(shape: ModelShape, options: LoadOptions, machine: Machine, plan: MemoryPlan) -> float:
    """Expected while writing with half the context filled: every active weight and that half are read for a token,
    on each device in turn. 0 where a device that is used was not measured."""
    weights = sum(share.weights_bytes for share in plan.shares)
    if not weights:
        return 0.0
    half = _with(options, n_ctx=max(plan.n_ctx // 2, CELLS))
    cache = sum(shape.kv_layer_bytes(half.n_ctx, half)) + 2 * shape.state_bytes
    kept = sum(share.kv_bytes for share in plan.shares)
    read_once = _read_bytes(shape, plan)
    seconds = 0.0
    for share, read in zip(plan.shares, read_once, strict=True):
        seen = cache * share.kv_bytes / kept if kept else 0.0
        bandwidth, _, through_cache = _speed(machine, share.name)
        if read + seen > 0 and bandwidth <= 0:
            return 0.0
        if read + seen > 0:
            seconds += read / bandwidth + seen / (through_cache or bandwidth)
    return 1 / seconds if seconds else 0.0


def ttft_s(shape: ModelShape, machine: Machine, plan: MemoryPlan) -> float:
    """Expected seconds to read a prompt of PROMPT_TOKENS: two operations for a parameter and token, on each device in
    turn. 0 where a device that is used was not measured."""
    read_once = _read_bytes(shape, plan)
    total = sum(read_once)
    seconds = 0.0
    for share, read in zip(plan.shares, read_once, strict=True):
        flops = _speed(machine, share.name)[1]
        if read > 0 and flops <= 0:
            return 0.0
        seconds += PROMPT_TOKENS * 2 * shape.active_params * (read / total) / flops if read > 0 else 0.0
    return seconds


def _read_bytes(shape: ModelShape, plan: MemoryPlan) -> list[float]:
    """Bytes of weights that each share reads for a token; in sum the active ones."""
    stay = shape.input_bytes - (shape.embedding_bytes if shape.tied and plan.n_gpu_layers <= shape.n_layer else 0)
    held = [share.weights_bytes - (stay if share.name == _CPU else 0) for share in plan.shares]
    total = sum(max(one, 0) for one in held)
    return [shape.active_bytes * max(one, 0) / total if total else 0.0 for one in held]


def _speed(machine: Machine, name: str) -> tuple[float, float, float]:
    for speed in machine.speeds:
        if speed.name == name:
            return speed.bandwidth_bytes_per_s, speed.compute_flops, speed.cache_bytes_per_s
    if name != _CPU:
        return 0.0, 0.0, 0.0
    return machine.bandwidth_bytes_per_s, machine.compute_flops, machine.cache_bytes_per_s


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


def _with(options: LoadOptions, *, n_ctx: int | None = None, n_gpu_layers: int | None = None) -> LoadOptions:
    changes = {"n_ctx": n_ctx, "n_gpu_layers": n_gpu_layers}
    return msgspec.structs.replace(options, **{name: value for name, value in changes.items() if value is not None})
