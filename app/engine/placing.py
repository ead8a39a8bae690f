"""Which options a model is best loaded with on a machine: what goes where, how long a context, which cache. Pure.

Reckoned from the model's header in a few milliseconds, so that sliders answer at once. What a person set stays as it
is; what is open is chosen. Rules, in this order: local cards before other computers; all layers on as few cards as hold
them; of a mixture of experts, first the experts of some layers stay in main memory (a token reads few of them), and
only then whole layers; a cache in main memory where that is faster than fewer layers on the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from app.engine.budgets import Room, is_remote
from app.engine.fit import DEFAULT_N_CTX, Costs, devices_of, fit, last, sizes
from app.engine.hardware import Device, Machine, MemoryPlan
from app.engine.shape import CELLS, ModelShape
from app.engine.speed import tokens_per_s
from app.engine.values import LoadOptions, LoadPlan, Preference

FULL, SMALLER = "f16", "q8_0"
"""Types of the cache: as models compute with it, and half of that, which is rarely noticed."""

SHORTER = (4096, 2048)
"""Contexts to fall back to where the usual one does not fit."""

LEAST_N_CTX = 4096
SMALL_BATCH = 128
FASTER = 1.5
"""How much faster a cache in main memory must promise to be: going back and forth, and reading prompts with attention
on the CPU, have costs that are not reckoned."""

_LEVELS = 10


def best(
    shape: ModelShape,
    options: LoadOptions,
    machine: Machine,
    preference: Preference = Preference.FASTEST,
    taken: Sequence[MemoryPlan] = (),
) -> LoadOptions:
    """These options with what they leave open chosen: layers (-1), devices, experts, cache, context and threads (0),
    compute batch. `taken` are the plans of other models that are loaded.

    Where nothing fits, the smallest of what was tried, on the CPU. Types of the cache are open while both are f16, the
    compute batch while it is the usual one. Where the machine's devices are not known, layers are left to llama.cpp.
    """
    room = Room.for_load(machine, taken)
    if not options.n_threads and machine.cores:
        options = msgspec.structs.replace(options, n_threads=machine.cores)
    if preference is Preference.LONGEST and not options.n_ctx:
        options = _longest(shape, options, machine, room)
    tried = options
    for tried in _tries(shape, options, preference):
        placed = _placed(shape, tried, machine, room)
        if placed is not None:
            return placed
    return _placed(shape, tried, machine, room, forced=True) or tried


def plan(
    shape: ModelShape,
    options: LoadOptions,
    machine: Machine,
    preference: Preference = Preference.FASTEST,
    *,
    kept: LoadOptions | None = None,
) -> LoadPlan:
    """The plan to show for these options, and what would be suggested without a person's hand. Answers at once.

    `kept` are options that worked the last time; they are used where `options` leave everything open.
    `n_expert_layers` is up to which layer there are experts: the most that `n_cpu_experts` can be of use for.
    """
    base = opened(options)
    suggested = best(shape, base, machine, preference)
    by_person = options != base
    chosen = best(shape, options, machine, preference) if by_person else kept or suggested
    with_experts = [layer for layer, size in enumerate(shape.layer_expert_bytes, 1) if size]
    return LoadPlan(
        options=chosen,
        suggested=suggested,
        fit=fit(shape, chosen, machine),
        machine=machine,
        n_layer=shape.n_layer,
        n_ctx_train=shape.n_ctx_train,
        n_expert_layers=max(with_experts, default=0),
        by_person=by_person,
    )


def opened(options: LoadOptions) -> LoadOptions:
    """These options with everything left open that `best` can choose."""
    usual = LoadOptions()
    return msgspec.structs.replace(
        options,
        n_ctx=usual.n_ctx,
        n_ubatch=usual.n_ubatch,
        n_threads=usual.n_threads,
        n_gpu_layers=usual.n_gpu_layers,
        type_k=usual.type_k,
        type_v=usual.type_v,
        devices=usual.devices,
        layers_on=usual.layers_on,
        n_cpu_experts=usual.n_cpu_experts,
        offload_kv=usual.offload_kv,
    )


# --- contexts and caches ------------------------------------------------------------------------------------------


def _tries(shape: ModelShape, options: LoadOptions, preference: Preference) -> Iterator[LoadOptions]:
    """What to try, the best first: each takes less than the one before."""
    n_ctx, batch = options.n_ctx, options.n_ubatch
    smaller = _smaller_cache(shape, options)
    trained = shape.n_ctx_train or DEFAULT_N_CTX
    if preference is Preference.LEAST:
        batch = min(batch, SMALL_BATCH)
        options = msgspec.structs.replace(smaller, n_ubatch=batch, n_ctx=n_ctx or min(trained, LEAST_N_CTX))
    elif not n_ctx:
        options = msgspec.structs.replace(options, n_ctx=min(trained, DEFAULT_N_CTX))
    yield options
    options = _smaller_cache(shape, options)
    yield options
    if not n_ctx:
        for shorter in SHORTER:
            if shorter < options.n_ctx:
                options = msgspec.structs.replace(options, n_ctx=shorter)
                yield options
    if batch == LoadOptions().n_ubatch:
        yield msgspec.structs.replace(options, n_ubatch=SMALL_BATCH)


def _smaller_cache(shape: ModelShape, options: LoadOptions) -> LoadOptions:
    if options.type_k == options.type_v == FULL and shape.can_quantize_cache:
        return msgspec.structs.replace(options, type_k=SMALLER, type_v=SMALLER)
    return options


def _longest(shape: ModelShape, options: LoadOptions, machine: Machine, room: Room) -> LoadOptions:
    """The longest context that fits; with a smaller cache where that makes it longer."""
    trained = shape.n_ctx_train or DEFAULT_N_CTX
    found = options
    for tried in (options, _smaller_cache(shape, options)):

        def fits(cells: int, tried: LoadOptions = tried) -> bool:
            longer = msgspec.structs.replace(tried, n_ctx=min(cells * CELLS, trained))
            return _placed(shape, longer, machine, room) is not None

        n_ctx = min(last(fits, -(-trained // CELLS)) * CELLS, trained)
        if n_ctx > found.n_ctx:
            found = msgspec.structs.replace(tried, n_ctx=n_ctx)
        if n_ctx == trained:
            break
    return found


# --- places -------------------------------------------------------------------------------------------------------


def _placed(
    shape: ModelShape, options: LoadOptions, machine: Machine, room: Room, *, forced: bool = False
) -> LoadOptions | None:
    """These options with layers, devices, experts and the cache's place chosen; None if that does not fit.

    `forced`: the numbers that options tell are placed even where they do not fit.
    """
    costs = Costs.of(shape, options)
    if not machine.devices or not options.n_gpu_layers:
        return options if forced or room.holds(sizes(costs.plan(options, ()))) else None
    found = None
    for devices in _sets(options, machine):
        found = _on(costs, options, devices, room, machine, forced=forced)
        if _whole(shape, found):
            break
    if found is None or forced or room.holds(sizes(costs.plan(found, machine.devices))):
        return found
    # Where a device has no memory of its own, its working buffer may be what is too much.
    alone = _none(options)
    return alone if options.n_gpu_layers < 0 and room.holds(sizes(costs.plan(alone, ()))) else None


def _whole(shape: ModelShape, options: LoadOptions) -> bool:
    experts = any(shape.layer_expert_bytes[: options.n_cpu_experts])
    return options.n_gpu_layers > shape.n_layer and not experts and options.offload_kv


def _sets(options: LoadOptions, machine: Machine) -> Iterator[list[Device]]:
    """Devices to be used together, the smallest sets first; the last one is all there are. Other computers come first
    in the order of layers, so that what goes over the network is little; integrated units count only without a card."""
    if options.devices:
        yield devices_of(options, machine.devices)
        return
    speeds = {speed.name: speed.bandwidth_bytes_per_s for speed in machine.speeds}
    local = [device for device in machine.devices if not is_remote(device)]
    local = [device for device in local if device.kind == "gpu"] or local
    local.sort(key=lambda device: (speeds.get(device.name, 0.0), device.memory_free_bytes), reverse=True)
    remote = [device for device in machine.devices if is_remote(device)]
    if options.n_gpu_layers < 0:
        for count in range(1, len(local) + (1 if remote else 0)):
            yield local[:count]
    yield [*remote, *local]


def _on(
    costs: Costs, options: LoadOptions, devices: Sequence[Device], room: Room, machine: Machine, *, forced: bool
) -> LoadOptions:
    """As many layers on these devices as they hold, or as many as options say."""
    found = _with_cache(costs, options, devices, room, forced=forced)
    if options.n_gpu_layers >= 0 or not options.offload_kv or _whole(costs.shape, found):
        return found
    other = _with_cache(costs, msgspec.structs.replace(options, offload_kv=False), devices, room, forced=forced)
    if not room.holds(sizes(costs.plan(other, machine.devices))):
        return found
    here, there = (tokens_per_s(costs.shape, one, machine, costs.plan(one, machine.devices)) for one in (found, other))
    return other if there > FASTER * here > 0 else found


def _with_cache(
    costs: Costs, options: LoadOptions, devices: Sequence[Device], room: Room, *, forced: bool
) -> LoadOptions:
    """The same for one place of the cache."""
    shape, total = costs.shape, costs.shape.n_layer + 1
    if options.n_gpu_layers >= 0:
        on = min(options.n_gpu_layers, total)
        return _spread(costs, options, devices, room, on, forced=True) or _none(options)
    experts = [options.n_cpu_experts]
    experts += [layer + 1 for layer, size in enumerate(shape.layer_expert_bytes) if size and layer >= experts[0]]
    if (whole := _spread(costs, options, devices, room, total)) is not None:
        return whole
    # Which experts stay is asked by halves: the more of them, the less the devices hold.
    most = len(experts) - 1
    few = most - last(
        lambda fewer: _spread(costs, _keep(options, experts[most - fewer]), devices, room, total) is not None, most
    )
    found = _spread(costs, _keep(options, experts[few]), devices, room, total)
    if found is not None:
        return found
    kept = _keep(options, experts[-1])
    on = last(lambda on: _spread(costs, kept, devices, room, on) is not None, total)
    return (_spread(costs, kept, devices, room, on) if on else None) or _none(options)


def _keep(options: LoadOptions, experts: int) -> LoadOptions:
    return msgspec.structs.replace(options, n_cpu_experts=experts)


def _none(options: LoadOptions) -> LoadOptions:
    return msgspec.structs.replace(options, n_gpu_layers=0, devices=(), layers_on=(), n_cpu_experts=0, offload_kv=True)


def _spread(
    costs: Costs, options: LoadOptions, devices: Sequence[Device], room: Room, on: int, *, forced: bool = False
) -> LoadOptions | None:
    """The options with `on` layers spread so that all devices are filled to the same level; None if they do not hold
    them."""
    if not on or not devices:
        return None
    if options.layers_on and len(options.layers_on) == len(devices) and sum(options.layers_on) == on:
        return _named(options, devices, options.layers_on)
    sizes_of = costs.on_device(options)[costs.shape.n_layer + 1 - on :]
    budgets = [room.devices.get(device.name, 0) for device in devices]
    work = [costs.work] * len(devices)
    computing = on <= costs.shape.n_layer or options.n_cpu_experts or not options.offload_kv
    if computing and not is_remote(devices[0]):
        work[0] += costs.borrowed(options, on)
    high = 1.0
    while (counts := _filled(sizes_of, work, budgets, high)) is None:
        if not forced or high > 1e6:
            return _named(options, devices, [on] + [0] * (len(devices) - 1)) if forced else None
        high *= 2
    low = 0.0
    for _ in range(_LEVELS if len(devices) > 1 else 0):
        middle = (low + high) / 2
        fuller = _filled(sizes_of, work, budgets, middle)
        low, high, counts = (middle, high, counts) if fuller is None else (low, middle, fuller)
    found = _named(options, devices, counts)
    if forced or room.devices_hold(sizes(costs.plan(found, devices))):
        return found
    return None


def _filled(layers: Sequence[int], work: Sequence[int], budgets: Sequence[int], level: float) -> list[int] | None:
    """How many layers each device takes, in order, if it may be filled to this part of its budget."""
    counts = [0] * len(budgets)
    at, left = 0, level * budgets[0] - work[0]
    for size in layers:
        while size > left:
            at += 1
            if at == len(budgets):
                return None
            left = level * budgets[at] - work[at]
        left -= size
        counts[at] += 1
    return counts


def _named(options: LoadOptions, devices: Sequence[Device], counts: Sequence[int]) -> LoadOptions:
    used = [(device.name, count) for device, count in zip(devices, counts, strict=True) if count]
    return msgspec.structs.replace(
        options,
        n_gpu_layers=sum(counts),
        devices=tuple(name for name, _ in used),
        layers_on=tuple(count for _, count in used),
    )
