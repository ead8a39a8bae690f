"""Measures this computer, bounded in time: the processor with the starter model, devices with a large matrix as well.

In an engine process of its own; when, is decided by `fitting`. It takes one or two seconds, with many cores some four
more, and one or two for each device. What is slow writes and reads less, what there is no time for is not measured.
Whatever else the computer does makes a run only slower: the best of several counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from app.base.clock import now_ms
from app.engine.errors import EngineError
from app.engine.gguf import check_loadable
from app.engine.hardware import Device, DeviceSpeed
from app.engine.probe import Probe
from app.engine.shape import ModelShape, shape_of
from app.engine.values import GenerateRequest, GenerationFacts, LoadOptions, PromptMessage, Sampling
from app.engine.worker.cores import physical_cores
from app.services.machine import Measured, key, taking_layers

log = logging.getLogger(__name__)

RUN_S, SLOW_S = 0.2, 0.6
"""How long the starter model writes after short prompts, with a number of threads or on a device, after a first one; if
that takes so long, it is all. The load comes on top."""

REPLY_S = 0.12
LEAST_WRITTEN, MOST_WRITTEN = 4, 20
"""How long one short reply should take, and the bounds of its tokens. The first one has the fewest."""

READ_S = 0.7
LEAST_WORDS, MOST_WORDS = 64, 130
"""How long reading the long prompt may take, and the bounds of its words: with fewer there is nothing to see."""

TRIES_S = 3.0
"""After this time no further number of threads is tried."""

MOST_TRIES, CHANCES = 12, 3
"""In all, and for a number of threads that was faster only once."""

N_CTX = 512
SHORT_WORDS = 4
LEAST_READ = 8
SLOWEST_CACHE = 8.0
"""A cache that seems slower than this part of the weights' speed was disturbed while it was measured."""

MANY_CORES = 6
"""From so many on, how many threads are best is measured: with fewer, all are."""

FASTER = 1.05
"""By how much fewer threads must be faster to be used: less is noise."""

ALIKE = 1.2
"""Runs that differ by more were disturbed."""

_CPU = "CPU"
_WORDS = ("stone", "river", "lamp", "winter", "bread", "hill", "rope", "glass", "night", "leaf", "sand")


def measure(
    started: Callable[[], Probe], starter: Path, give_up: Callable[[], bool] = lambda: False
) -> Measured | None:
    """Runs the starter model on the CPU, and on each device that takes layers. Raises EngineError.

    None when `give_up` said so in between. `started` gives an engine process, another one after it died: a device that
    cannot be measured, or takes the process down, has no speed, and what was measured besides stays.
    """
    info = started().describe()
    devices = taking_layers(info.devices)
    shape = shape_of(check_loadable(starter))
    try:
        n_threads, of_cpu = _processor(_Starter(started(), starter, shape, give_up))
        speeds = [of_cpu]
        for device in devices:
            probe = started()
            try:
                speeds.append(_device(_Starter(probe, starter, shape, give_up), device))
            except EngineError as error:
                if give_up():
                    return None
                log.info("%s could not be measured: %s", device.name, error.code)
                probe.close()  # it may have died of it
    except _GivenUpError:
        return None
    return Measured(
        key=key(),
        build=info.llama_cpp_build,
        devices=devices,
        speeds=tuple(speeds),
        measured_ms=now_ms(),
        n_threads=n_threads,
    )


def layer_s(shape: ModelShape, tokens_per_s: float, seen_bytes: float, bandwidth: float) -> float:
    """What each layer takes for a token besides the bytes it reads, of a model that lies on one device as a whole, has
    `seen_bytes` in its cache and writes so fast."""
    if tokens_per_s <= 0 or bandwidth <= 0:
        return 0.0
    return max(1 / tokens_per_s - (shape.active_bytes + seen_bytes) / bandwidth, 0.0) / (shape.n_layer + 1)


# --- how many threads ---------------------------------------------------------------------------------------------


def thread_counts(cores: int = 0) -> tuple[int, ...]:
    """How many threads to try on so many cores, the usual number first; 0 stands for the engine's own choice."""
    cores = cores or physical_cores()
    return (0, cores * 3 // 4, cores // 2) if cores >= MANY_CORES else (0,)


def next_count(counts: Sequence[int], tried: Sequence[tuple[int, float]]) -> int | None:
    """The number of threads to try next, after these numbers and the speeds they had; None when it is decided.

    Each once, then the usual one and those that were faster in turn, until they were so twice or had chances enough.
    """
    runs = _runs(tried)
    for count in counts:
        if count not in runs:
            return count
    usual, *fewer = counts
    faster = [count for count in fewer if runs[count][0] > FASTER * runs[usual][0]]
    clear = all(
        len(runs[count]) >= CHANCES or (len(runs[count]) > 1 and runs[count][1] > FASTER * runs[usual][0])
        for count in faster
    )
    if not faster or (clear and _alike(runs[usual])) or len(tried) >= MOST_TRIES:
        return None
    return min((usual, *faster), key=lambda count: len(runs[count]))


def quickest(tried: Sequence[tuple[int, float]]) -> int:
    """Of numbers of threads and the speeds they had, the first, unless another was faster twice by more than noise than
    the first ever was, and the first was as fast as that twice."""
    runs = _runs(tried)
    usual = tried[0][0]
    best = runs[usual][0]
    faster = {count: speeds[1] for count, speeds in runs.items() if len(speeds) > 1 and speeds[1] > FASTER * best}
    return max(faster, key=faster.__getitem__, default=usual) if _alike(runs[usual]) else usual


def _runs(tried: Sequence[tuple[int, float]]) -> dict[int, list[float]]:
    """The speeds of each number of threads, the best one first."""
    found: dict[int, list[float]] = {}
    for count, speed in tried:
        found[count] = sorted((*found.get(count, ()), speed), reverse=True)
    return found


def _alike(speeds: Sequence[float]) -> bool:
    return len(speeds) > 1 and speeds[0] <= ALIKE * speeds[1]


# --- runs ---------------------------------------------------------------------------------------------------------


class _GivenUpError(Exception):
    """Something else is to be done now."""


class _Starter:
    """The starter model in an engine process, and the fastest that it read with each number of threads."""

    def __init__(self, probe: Probe, path: Path, shape: ModelShape, give_up: Callable[[], bool]) -> None:
        self.probe = probe
        self.shape = shape
        self._path = path
        self._give_up = give_up
        self._number = 0
        self._options = LoadOptions()
        self._a_token = sum(shape.kv_layer_bytes(N_CTX, self._options)) / N_CTX
        self._read_per_s: dict[int, float] = {}

    def load(self, options: LoadOptions) -> None:
        if self._give_up():
            raise _GivenUpError
        self.probe.load(self._path, options)
        self._options = options

    def seen_bytes(self, facts: GenerationFacts) -> float:
        """What lay in the cache while it was written."""
        return facts.prompt_tokens * self._a_token

    def warm_up(self) -> None:
        """A reply that does not count: drivers prepare much the first time."""
        self._reply(SHORT_WORDS, LEAST_WRITTEN)

    def short(self) -> GenerationFacts:
        """The fastest of some short replies."""
        begin = time.monotonic()
        best = self._reply(SHORT_WORDS, LEAST_WRITTEN)
        first = time.monotonic()
        while first - begin < SLOW_S and time.monotonic() - first < RUN_S:
            found = self._reply(SHORT_WORDS, self._worth(best))
            best = max(best, found, key=lambda facts: facts.tokens_per_s)
        return best

    def speed(self, name: str, short: GenerationFacts, options: LoadOptions) -> DeviceSpeed:
        """By the bytes of weights that were read for a token: a small model has its share of overhead in it, so a large
        one is a little faster than foretold. What each further token of context costs is the cache's alone."""
        bandwidth = short.tokens_per_s * (self.shape.active_bytes + self.seen_bytes(short))
        cache = 0.0
        words = min(int(self._read_per_s.get(options.n_threads, 0.0) * READ_S), MOST_WORDS)
        if words >= LEAST_WORDS and bandwidth > 0:
            if options != self._options:
                self.load(options)
            first = self._reply(words, self._worth(short))
            again = self._reply(words, self._worth(short), again=True)  # nothing is read for it
            long = max(first, again, key=lambda facts: facts.tokens_per_s)
            if long.tokens_per_s > 0:
                slower_s = 1 / long.tokens_per_s - 1 / short.tokens_per_s
                more = self.seen_bytes(long) - self.seen_bytes(short)
                cache = min(max(more / slower_s if slower_s > 0 else bandwidth, bandwidth / SLOWEST_CACHE), bandwidth)
        return DeviceSpeed(
            name=name,
            bandwidth_bytes_per_s=bandwidth,
            compute_flops=self._read_per_s.get(options.n_threads, 0.0) * 2 * self.shape.active_params,
            cache_bytes_per_s=cache,
        )

    def _worth(self, before: GenerationFacts) -> int:
        """How many tokens to write, at such a speed."""
        return min(max(int(before.tokens_per_s * REPLY_S), LEAST_WRITTEN), MOST_WRITTEN)

    def _reply(self, words: int, tokens: int, *, again: bool = False) -> GenerationFacts:
        if self._give_up():
            raise _GivenUpError
        self._number += not again
        facts = self.probe.generate(_request(self._number, words, tokens))
        read = facts.prompt_tokens - facts.cached_tokens
        if read >= LEAST_READ and facts.prompt_s > 0:
            threads = self._options.n_threads
            self._read_per_s[threads] = max(self._read_per_s.get(threads, 0.0), read / facts.prompt_s)
        return facts


def _processor(starter: _Starter) -> tuple[int, DeviceSpeed]:
    """The number of threads that is best, 0 for the usual one, and what the processor does with it."""
    counts, end = thread_counts(), time.monotonic() + TRIES_S
    best: dict[int, GenerationFacts] = {}
    tried: list[tuple[int, float]] = []
    count = next_count(counts, ())
    while count is not None:
        starter.load(_threads(count))
        found = starter.short()
        tried.append((count, found.tokens_per_s))
        best[count] = max(best.get(count, found), found, key=lambda facts: facts.tokens_per_s)
        count = next_count(counts, tried) if time.monotonic() < end else None
    chosen = quickest(tried)
    return chosen, starter.speed(_CPU, best[chosen], _threads(chosen))


def _threads(count: int) -> LoadOptions:
    return LoadOptions(n_ctx=N_CTX, n_gpu_layers=0, n_threads=count)


def _device(starter: _Starter, device: Device) -> DeviceSpeed:
    """What a device does with a large matrix, and what each layer of a model costs besides; by the starter model alone
    where the former is not known."""
    found = starter.probe.gauge(device.name)
    options = LoadOptions(n_ctx=N_CTX, devices=(device.name,))
    starter.load(options)
    starter.warm_up()
    short = starter.short()
    if found.bandwidth_bytes_per_s <= 0 or found.compute_flops <= 0:
        return starter.speed(device.name, short, options)
    more = layer_s(starter.shape, short.tokens_per_s, starter.seen_bytes(short), found.bandwidth_bytes_per_s)
    return msgspec.structs.replace(found, layer_s=more)


def _request(number: int, count: int, tokens: int) -> GenerateRequest:
    words = " ".join(_WORDS[(number + index * 7) % len(_WORDS)] for index in range(count))
    return GenerateRequest(
        sequence=f"measure {number}",
        messages=[
            PromptMessage(role="system", content="Count."),  # shorter than what the model's template has for this
            PromptMessage(role="user", content=f"{number}: {words}"),
        ],
        sampling=Sampling(temperature=0.0, max_tokens=tokens),
        guess=False,
    )
