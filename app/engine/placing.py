"""Which options a model is best loaded with on a machine: what goes where, how long a context, which cache. Pure.

Reckoned from the model's header in a few milliseconds, so that sliders answer at once. What a person set stays as it
is; what is open is chosen. Rules, in this order: local cards before other computers; all layers on as few cards as hold
them; of a mixture of experts, first the experts of some layers stay in main memory (a token reads few of them), and
only then whole layers. The cache lies where the layers do, unless a person wants otherwise: devices would fetch it from
main memory for each token. Weights in main memory are copied there where large pages are to be had and there is room
for twice as much: the processor then finds them faster than in a mapped file.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Iterator, Sequence

import msgspec

from app.engine.budgets import Room, is_remote, main_memory_bytes
from app.engine.fit import DEFAULT_N_CTX, Costs, devices_of, fit, last, sizes
from app.engine.hardware import Device, Machine, MemoryPlan
from app.engine.shape import CELLS, EMBEDDED_TWICE, ModelShape
from app.engine.values import LoadOptions, LoadPlan, Preference

FULL, SMALLER = "f16", "q8_0"
"""Types of the cache: as models compute with it, and half of that, which is rarely noticed."""

SHORTER = (4096, 2048)
"""Contexts to fall back to where the usual one does not fit."""

LEAST_N_CTX = 4096
SMALL_BATCH = 128
_LEVELS, _HIGHEST, _ROUNDS = 10, 1e6, 4


def best(
    shape: ModelShape,
    options: LoadOptions,
    machine: Machine,
    preference: Preference = Preference.FASTEST,
    taken: Sequence[MemoryPlan] = (),
) -> LoadOptions:
    """These options with what they leave open chosen: layers (-1), devices, experts, cache, context and threads (0),
    compute batch, and whether the file is mapped. `taken` are the plans of other models that are loaded.

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
            return _held(shape, placed, machine, preference)
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


def _held(shape: ModelShape, options: LoadOptions, machine: Machine, preference: Preference) -> LoadOptions:
    """These options with weights copied where that is open and better."""
    gains = machine.large_pages and preference is not Preference.LEAST and shape.architecture not in EMBEDDED_TWICE
    if not gains or options.use_mmap is not None:
        return options
    taken = main_memory_bytes(Costs.of(shape, options).plan(options, machine.devices), machine)
    return msgspec.structs.replace(options, use_mmap=False) if 2 * taken <= machine.memory_free_bytes else options


# --- contexts and caches ------------------------------------------------------------------------------------------


def _tries(shape: ModelShape, options: LoadOptions, preference: Preference) -> Iterator[LoadOptions]:
    """What to try, the best first: each takes less than the one before."""
    n_ctx, batch = options.n_ctx, options.n_ubatch
    smaller = _smaller_cache(shape, options)
    trained = shape.n_ctx_train or DEFAULT_N_CTX
    if preference is Preference.LEAST:
        batch = min(batch, SMALL_BATCH)
        options = msgspec.structs.replace(smaller, n_ubatch=batch, n_ctx=n_ctx or min(trained, LEAST_N_CTX), n_cells=0)
    elif not n_ctx:
        options = msgspec.structs.replace(options, n_ctx=min(trained, DEFAULT_N_CTX))
    yield options
    options = _smaller_cache(shape, options)
    yield options
    if not n_ctx:
        for shorter in SHORTER:
            if shorter < options.n_ctx:
                options = msgspec.structs.replace(options, n_ctx=shorter, n_cells=0)
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

        most = -(-trained // CELLS)
        n_ctx = min((most if fits(most) else last(fits, most - 1)) * CELLS, trained)
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
    least = costs.weights[-1] + costs.caches[-1]
    if not forced and least > room.main + sum(room.devices.values()):
        return None
    if not machine.devices or not options.n_gpu_layers:
        return options if forced or room.holds(sizes(costs.plan(options, ()))) else None
    found = None
    for devices in _sets(options, machine):
        found = _on(costs, options, devices, room)
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


def _on(costs: Costs, options: LoadOptions, devices: Sequence[Device], room: Room) -> LoadOptions:
    """As many layers on these devices as they hold, or as many as options say."""
    cards = _Cards(costs, options, devices, room)
    if options.n_gpu_layers < 0:
        return cards.most()
    if options.layers_on and len(options.layers_on) == len(devices):
        return options
    return cards.spread(min(options.n_gpu_layers, costs.shape.n_layer + 1), options.n_cpu_experts)


class _Cards:
    """Devices that take layers of one model together, in this order."""

    def __init__(self, costs: Costs, options: LoadOptions, devices: Sequence[Device], room: Room) -> None:
        self._costs = costs
        self._options = options
        self._devices = devices
        self._room = room
        self._budgets = [room.devices.get(device.name, 0) for device in devices]
        # A worker holds each matrix twice while it comes, before the working buffer is there.
        self._far = [costs.shape.widest_bytes if is_remote(device) else 0 for device in devices]
        self._total = costs.shape.n_layer + 1
        self._layers = range(self._total + 1)

    def most(self) -> LoadOptions:
        """All layers if they fit, else with the experts of as few layers as needed in main memory, else with those of
        all and as many layers as fit."""
        at_least = self._options.n_cpu_experts
        with_experts = [layer for layer, size in enumerate(self._costs.shape.layer_expert_bytes, 1) if size]
        kept = [at_least, *(layer for layer in with_experts if layer > at_least)]
        if not self._hold(self._total, kept[-1]):
            on = last(lambda on: self._hold(on, kept[-1]), self._total)
            return self.spread(on, kept[-1])
        fewer = last(lambda fewer: self._hold(self._total, kept[-1 - fewer]), len(kept) - 1)
        return self.spread(self._total, kept[-1 - fewer])

    def spread(self, on: int, kept: int) -> LoadOptions:
        """With so many layers on the devices, all filled to the same level, even if it is more than they hold."""
        if not on or not self._devices:
            return _none(self._options)
        high = 1.0
        while (counts := self._filled(on, kept, high)) is None:
            if high > _HIGHEST:  # devices that tell no memory
                counts = [on, *[0] * (len(self._devices) - 1)]
                break
            high *= 2
        low = 0.0
        for _ in range(_LEVELS if len(self._devices) > 1 else 0):
            middle = (low + high) / 2
            fuller = self._filled(on, kept, middle)
            low, high, counts = (middle, high, counts) if fuller is None else (low, middle, fuller)
        return self._named(counts, kept)

    def _hold(self, on: int, kept: int) -> bool:
        counts = self._filled(on, kept, 1.0)
        if counts is None or not (self._room.pools or self._room.sharing):
            return counts is not None
        return self._room.devices_hold(sizes(self._costs.plan(self._named(counts, kept), self._devices)))

    def _filled(self, on: int, kept: int, level: float) -> list[int] | None:
        """How many layers each device takes, in order, if it may be filled to this part of its budget."""
        others = len(self._devices) - 1
        counts = [on - min(others, on), *[1] * min(others, on), *[0] * max(others - on, 0)]
        for _ in range(_ROUNDS):  # how large working buffers are depends on where one device ends and the next begins
            works = self._costs.working(self._options, kept, counts, self._devices)[1:]
            works = [max(work, far) for work, far in zip(works, self._far, strict=True)]
            filled = self._with(works, on, kept, level)
            if filled is None or filled == counts:
                return filled
            counts = filled
        return None

    def _with(self, works: Sequence[int], on: int, kept: int, level: float) -> list[int] | None:
        """The same with these working buffers."""
        before = functools.partial(self._costs.before, kept=kept, cached=self._options.offload_kv)
        counts, at = [], self._total - on
        for budget, work in zip(self._budgets, works, strict=True):
            after = bisect.bisect_right(self._layers, before(at) + level * budget - work, lo=at, key=before) - 1
            counts.append(max(after - at, 0))
            at = max(after, at)
        return counts if at == self._total else None

    def _named(self, counts: Sequence[int], kept: int) -> LoadOptions:
        used = [(device.name, count) for device, count in zip(self._devices, counts, strict=True) if count]
        return msgspec.structs.replace(
            self._options,
            n_gpu_layers=sum(counts),
            devices=tuple(name for name, _ in used),
            layers_on=tuple(count for _, count in used),
            n_cpu_experts=kept,
        )


def _none(options: LoadOptions) -> LoadOptions:
    return msgspec.structs.replace(options, n_gpu_layers=0, devices=(), layers_on=(), n_cpu_experts=0, offload_kv=True)
