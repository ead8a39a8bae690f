"""What is said about a load plan: the verdict, what goes where, the pieces of each picture. Words only, no widget."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from app.base.sizes import size_words
from app.engine.hardware import Device, DeviceShare, Machine, Verdict
from app.engine.values import LoadOptions, LoadPlan
from app.ui.components.context.bars import ANSWER, FREE, KEPT, PINNED, SUMMARISED
from app.ui.model_words import pause

WEIGHTS, CACHE, COMPUTE, OTHERS = KEPT, PINNED, ANSWER, SUMMARISED
TOKENS_PER_PAGE = 340
"""Of English prose: some 250 words, three quarters of a word for a token."""

KV_TYPES = {"f16": "Full", "q8_0": "8 bit", "q4_0": "4 bit"}
KV_WORDS = {
    "f16": "Exact; 8 bit halves it",
    "q8_0": "8 bit halves it; rarely noticed",
    "q4_0": "A quarter; answers change a little",
}
KV_PLACES = {"device": "With the layers", "main": "In main memory"}
KV_PLACE_WORDS = {"device": "The fastest place", "main": "Slower, but the device has more room"}
PREFERENCES = {"fastest": "Speed", "longest": "Long context", "least": "Little memory"}
PREFERENCE_WORDS = {
    "fastest": "The fastest way that fits",
    "longest": "The longest context that fits",
    "least": "No more than is needed",
}
MAPPED = {"auto": "By itself", "always": "Always", "never": "Never"}
MAPPED_WORDS = {
    "auto": "A copy where that is faster and there is ample room",
    "always": "Weights are given up and read again where memory is short",
    "never": "Weights are copied; where memory is short they are swapped",
}
_JUST, _LITTLE = 0.06, 0.25


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a bar: a style, its name in the legend, its size."""

    style: str
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Picture:
    """The memory of one device. `free_bytes` is negative where more is wanted than there is; `place` says where it
    is, if not in this computer."""

    key: str
    title: str
    place: str
    icon: str
    total_bytes: int
    free_bytes: int
    pieces: tuple[Piece, ...]

    @property
    def right(self) -> str:
        """The figure at the right: what is left, or what is missing."""
        if self.free_bytes < 0:
            return f"{size_words(-self.free_bytes)} too little"
        return f"{size_words(self.free_bytes)} free"


def pictures(
    machine: Machine, shares: Sequence[DeviceShare] = (), held: Sequence[DeviceShare] = (), *, mapped: bool = True
) -> list[Picture]:
    """Each device and main memory with what a model would take there, or with what one holds there already. A card
    without a memory of its own is part of main memory. `mapped`: weights that are held in main memory are those of a
    mapped file, and count as free."""
    own = [device for device in machine.devices if device.kind != "igpu"]
    names = {device.name for device in own}
    made = [
        _picture(
            device.name,
            device.description or device.name,
            f"on {device.host}" if device.host and device.host not in device.description else "",
            "globe" if device.host else "chip",
            (device.memory_total_bytes, device.memory_free_bytes),
            [share for share in shares if share.name == device.name],
            sum(share.total_bytes for share in held if share.name == device.name),
        )
        for device in own
    ]
    here = [share for share in shares if share.name not in names]
    ours = [share for share in held if share.name not in names]
    kept = sum(share.total_bytes - (share.weights_bytes if mapped and share.kind == "cpu" else 0) for share in ours)
    shared = next((d.description or d.name for d in machine.devices if d.kind == "igpu"), "")
    place = f"shared with {shared}" if shared else ""
    sizes = (machine.memory_total_bytes, machine.memory_free_bytes)
    return [*made, _picture("CPU", "Memory", place, "desktop", sizes, here, kept)]


def _picture(
    key: str, title: str, place: str, icon: str, sizes: tuple[int, int], shares: Sequence[DeviceShare], held: int
) -> Picture:
    total, free = sizes
    held = min(held, total - free)
    wanted = (
        Piece(OTHERS, "Other programs", total - free - held),
        Piece(WEIGHTS, "The loaded model", held),
        Piece(WEIGHTS, "Weights", sum(share.weights_bytes for share in shares)),
        Piece(CACHE, "Conversation (KV)", sum(share.kv_bytes for share in shares)),
        Piece(COMPUTE, "Compute", sum(share.compute_bytes for share in shares)),
    )
    left = total - sum(piece.size_bytes for piece in wanted)
    pieces = (*wanted, Piece(FREE, "Free", max(0, left)))
    return Picture(key, title, place, icon, total, left, tuple(piece for piece in pieces if piece.size_bytes > 0))


def headline(plan: LoadPlan, drawn: Sequence[Picture]) -> str:
    """The verdict in one sentence."""
    fit = plan.fit
    if fit.verdict is Verdict.NO:
        how = ", set like this" if by_hand(plan) else ""
        return f"Too large for this computer{how}."
    if not fit.fits_now:
        return "Fits, but not while other programs hold so much."
    used = {share.name for share in fit.plan.shares if share.total_bytes}
    shares = [one.free_bytes / one.total_bytes for one in drawn if one.total_bytes and one.key in used]
    least = min(shares, default=1.0)
    if least < _JUST:
        return "Fits, but only just."
    return "Fits, with a little room to spare." if least < _LITTLE else "Fits, with room to spare."


def explanation(plan: LoadPlan, drawn: Sequence[Picture]) -> tuple[str, str]:
    """What goes where and how fast it will be; the second is the part of it to be set in bold."""
    fit = plan.fit
    over = next((one for one in drawn if one.free_bytes < 0 and one.key != "CPU"), None)
    if fit.verdict is Verdict.NO and over is not None:
        others = sum(piece.size_bytes for piece in over.pieces if piece.style == OTHERS)
        wanted = sum(piece.size_bytes for piece in over.pieces) - others
        room = size_words(over.total_bytes - others)
        return f"{over.title} would have to hold {size_words(wanted)}, and {room} of it are free.", ""
    if fit.verdict is Verdict.NO or not fit.fits_now:
        return fit.why, ""
    said, strong = [_places(plan)], ""
    if fit.tokens_per_s > 0:
        strong = f"about {speed_words(fit.tokens_per_s)} tokens/s"
        first = f", and a first word {pause(fit.ttft_s)} after three pages of text" if fit.ttft_s >= 0.1 else ""
        said.append(f"Expect {strong}{first}.")
        said.append("Reckoned from this computer's speed.")
    return " ".join(said), strong


def speed_words(tokens_per_s: float) -> str:
    """A speed as people read it: 3.4, 13, 160."""
    if tokens_per_s < 9.95:
        return f"{tokens_per_s:.1f}"
    return f"{tokens_per_s:.0f}" if tokens_per_s < 100 else f"{round(tokens_per_s, -1):.0f}"


def _places(plan: LoadPlan) -> str:
    devices = plan.machine.devices
    total, on = plan.n_layer + 1, sum(layers_on(plan).values())
    card = f"{len(devices)} devices" if len(devices) > 1 else "the graphics card"
    if len(devices) == 1 and devices[0].host:
        card = device_word(devices[0])
    if not devices:
        return "It lies in main memory and is computed by the processor."
    if not on:
        return f"It lies in main memory; nothing goes on {card}."
    if on >= total:
        where = "Everything goes" if not plan.options.n_cpu_experts else "All layers go"
        said = f"{where} on {card}."
    else:
        said = f"{on} of {total} layers go on {card}, the rest stay in memory."
    if plan.options.n_cpu_experts:
        said += f" The experts of {plan.options.n_cpu_experts} layers stay in memory."
    return said


def layers_on(plan: LoadPlan) -> dict[str, int]:
    """How many layers each device takes, the output layer counted as one."""
    names = [device.name for device in plan.machine.devices]
    options = plan.options
    if options.layers_on or len(names) == 1:
        return _layers(plan, options)
    taken = {share.name: share.layers for share in plan.fit.plan.shares}
    return {name: taken.get(name, 0) for name in names}


def suggested_layers(plan: LoadPlan) -> dict[str, int]:
    """The same for what Inglenook would choose; nothing for a device where that is left to llama.cpp."""
    options = plan.suggested
    return _layers(plan, options) if options.layers_on or len(plan.machine.devices) == 1 else {}


def _layers(plan: LoadPlan, options: LoadOptions) -> dict[str, int]:
    names = [device.name for device in plan.machine.devices]
    if not options.layers_on:
        total = plan.n_layer + 1
        return {names[0]: total if options.n_gpu_layers < 0 else min(options.n_gpu_layers, total)}
    return dict.fromkeys(names, 0) | dict(zip(options.devices or names, options.layers_on, strict=False))


_SET = ("n_ctx", "n_threads", "type_k", "type_v", "n_gpu_layers", "devices", "layers_on", "n_cpu_experts")


def same(one: LoadOptions, other: LoadOptions) -> bool:
    """Whether two loads are the same in all that can be set."""
    return all(getattr(one, field) == getattr(other, field) for field in _SET)


def by_hand(plan: LoadPlan) -> bool:
    """Whether it differs from what Inglenook would choose."""
    return not same(plan.options, plan.suggested)


def layer_fields(plan: LoadPlan, wanted: dict[str, int]) -> dict[str, object]:
    """The options that put so many layers on each device, none named that takes none."""
    taken = [(device.name, wanted.get(device.name, 0)) for device in plan.machine.devices]
    taken = [(name, count) for name, count in taken if count]
    return {
        "n_gpu_layers": sum(count for _, count in taken),
        "devices": tuple(name for name, _ in taken),
        "layers_on": tuple(count for _, count in taken),
    }


def context_stops(longest: int, *wanted: int) -> list[int]:
    """Lengths that a slider stops at: powers of two and the middles between them, and those that are wanted."""
    stops, at = {value for value in (*wanted, longest) if 0 < value <= longest}, 512
    while at < longest:
        stops |= {at, at + at // 2} if at >= 1024 else {at}
        at *= 2
    return sorted(stop for stop in stops if stop <= longest)


def nearest(stops: Sequence[int], value: int) -> int:
    """The place of the stop that comes nearest."""
    at = bisect.bisect_left(stops, value)
    around = [place for place in (at - 1, at) if 0 <= place < len(stops)]
    return min(around, key=lambda place: abs(stops[place] - value))


def context_words(n_ctx: int, suggested: int) -> str:
    """How much text that is: 'About 36 pages; 8,192 suggested'."""
    pages = max(1, round(n_ctx / TOKENS_PER_PAGE))
    said = f"About {pages:,} page{'' if pages == 1 else 's'}"
    return said if n_ctx == suggested else f"{said}; {suggested:,} suggested"


def device_word(device: Device) -> str:
    """What a device is called beside a slider."""
    return device.description or device.name
