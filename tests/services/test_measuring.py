"""Measuring: how many threads are chosen, what a device's figures are made of, what comes of slow and broken ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from app.engine.errors import EngineError
from app.engine.gguf import check_loadable
from app.engine.probe import Probe
from app.engine.shape import ModelShape, shape_of
from app.engine.values import GenerateRequest, GenerationFacts, LoadedModel, LoadOptions
from app.services import measuring
from app.services.machine import Measured
from app.services.measuring import layer_s, measure, next_count, quickest, thread_counts
from tests.support.engines import fake

GIB = 1024**3
COUNTS = (0, 12, 8)


# --- how many threads -----------------------------------------------------------------------------------------------


def test_how_many_threads_are_tried() -> None:
    assert [thread_counts(cores) for cores in (1, 4, 6, 16)] == [(0,), (0,), (0, 4, 3), (0, 12, 8)]


def tried(counts: Sequence[int], speeds: dict[int, Sequence[float]]) -> list[tuple[int, float]]:
    """What is tried where runs of each number of threads have these speeds in turn, again from the first after the
    last."""
    turns = {count: cycle(values) for count, values in speeds.items()}
    found: list[tuple[int, float]] = []
    while (count := next_count(counts, found)) is not None:
        found.append((count, next(turns[count])))
    return found


CASES: dict[str, tuple[dict[int, Sequence[float]], int, int]] = {
    # speeds of the runs by number of threads; what is chosen, after how many runs
    "all are alike": ({0: [100], 12: [101], 8: [99]}, 0, 3),
    "the usual is faster": ({0: [100], 12: [90], 8: [70]}, 0, 3),
    "no more than noise": ({0: [100], 12: [104], 8: [103]}, 0, 3),
    "fewer are faster": ({0: [100], 12: [120], 8: [140]}, 8, 6),
    "one of them is faster": ({0: [100], 12: [98], 8: [140]}, 8, 5),
    "the first run was disturbed": ({0: [12, 110, 109], 12: [100], 8: [101]}, 0, 4),
    "the first run was disturbed, and fewer are faster": ({0: [12, 100, 99], 12: [90], 8: [140]}, 8, 6),
    "a run of the faster was disturbed": ({0: [100, 101, 99], 12: [90], 8: [140, 30, 139]}, 8, 7),
    "fewer were faster once, by luck": ({0: [80, 100, 99], 12: [95, 94], 8: [70]}, 0, 4),
    "all runs were disturbed": ({0: [12, 25, 18, 40], 12: [30, 14, 22], 8: [20, 9]}, 0, 8),
    "all were equally slow": ({0: [12], 12: [12.3], 8: [12.1]}, 0, 3),
    "nothing was written": ({0: [0], 12: [0], 8: [0]}, 0, 3),
}


@pytest.mark.parametrize("name", CASES)
def test_fewer_threads_are_chosen_on_repeated_evidence_only(name: str) -> None:
    speeds, chosen, runs = CASES[name]
    found = tried(COUNTS, speeds)
    assert (quickest(found), len(found)) == (chosen, runs), found


def test_what_there_was_no_time_for_is_not_chosen() -> None:
    assert quickest([(0, 15.0)]) == 0
    assert quickest([(0, 15.0), (12, 30.0), (8, 80.0)]) == 0
    assert quickest([(0, 15.0), (12, 30.0), (8, 80.0), (0, 15.5), (8, 81.0)]) == 8
    assert tried((0,), {0: [50.0]}) == [(0, 50.0)]


# --- what a device's figures are made of ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shape(starter_model: Path) -> ModelShape:
    return shape_of(check_loadable(starter_model))


def test_a_small_model_on_a_large_card_is_mostly_beginnings(shape: ModelShape) -> None:
    found = layer_s(shape, 312.0, 0.0, 3e12)
    assert found == pytest.approx((1 / 312 - shape.active_bytes / 3e12) / 31)
    assert 90e-6 < found < 110e-6
    assert layer_s(shape, 312.0, 3e9, 3e12) == pytest.approx(found - 1e-3 / 31)
    assert layer_s(shape, 1e6, 0.0, 3e12) == 0, "never less than nothing"
    assert layer_s(shape, 0.0, 0.0, 3e12) == layer_s(shape, 312.0, 0.0, 0.0) == 0


# --- runs -----------------------------------------------------------------------------------------------------------

CARD = {"kind": "gpu", "description": "", "memory_free_bytes": GIB, "memory_total_bytes": GIB, "backend": "CUDA"}
CUDA = [{"name": name, **CARD} for name in ("CUDA0", "CUDA1")]
SPEEDS = [
    {"name": name, "bandwidth_bytes_per_s": speed, "compute_flops": 1e14, "cache_bytes_per_s": speed}
    for name, speed in (("CUDA0", 3e12), ("CUDA1", 1e12))
]
REPLY = {"text": "One two three. " * 40, "tokens_per_s": 1000, "read_tokens_per_s": 20_000}


class Watched(Probe):
    """A probe that remembers what it was asked."""

    def __init__(self, command: Sequence[str], loads: list[LoadOptions], written: list[int]) -> None:
        super().__init__(command)
        self._loads, self._written = loads, written

    def load(self, path: Path, options: LoadOptions) -> LoadedModel:
        self._loads.append(options)
        return super().load(path, options)

    def generate(self, request: GenerateRequest) -> GenerationFacts:
        self._written.append(request.sampling.max_tokens)
        return super().generate(request)


class Bench:
    """Measures with scripted processes, a new one when the one before has died."""

    def __init__(self, starter: Path) -> None:
        self.starter = starter
        self.loads: list[LoadOptions] = []
        self.written: list[int] = []
        self.probes: list[Watched] = []

    def measure(self, give_up: Callable[[], bool] = lambda: False, **script: Any) -> Measured | None:
        command = fake({"replies": [REPLY], **script})

        def started() -> Probe:
            if not self.probes or self.probes[-1].ended:
                self.probes.append(Watched(command, self.loads, self.written))
            return self.probes[-1]

        return measure(started, self.starter, give_up)

    @property
    def devices(self) -> list[tuple[str, ...]]:
        """What the starter model was loaded on, in turn."""
        return [options.devices for options in self.loads]


@pytest.fixture
def bench(starter_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A tenth of the time is enough with a script; few cores, whatever this computer has."""
    for name in ("RUN_S", "SLOW_S", "REPLY_S"):
        monkeypatch.setattr(measuring, name, getattr(measuring, name) / 10)
    monkeypatch.setattr(measuring, "thread_counts", lambda: (0,))
    made = Bench(starter_model)
    yield made
    for probe in made.probes:
        probe.close()


def test_a_card_is_told_by_its_own_figures_and_what_a_layer_costs(bench: Bench, shape: ModelShape) -> None:
    found = bench.measure(devices=CUDA, speeds=SPEEDS)
    assert found is not None
    cpu, first, second = found.speeds
    assert (cpu.name, cpu.layer_s) == ("CPU", 0.0)
    assert 200 < cpu.bandwidth_bytes_per_s / shape.active_bytes < 3000
    assert cpu.compute_flops > 0
    assert 0 < cpu.cache_bytes_per_s <= cpu.bandwidth_bytes_per_s
    assert [
        (one.name, one.bandwidth_bytes_per_s, one.compute_flops, one.cache_bytes_per_s) for one in found.speeds[1:]
    ] == [
        ("CUDA0", 3e12, 1e14, 3e12),
        ("CUDA1", 1e12, 1e14, 1e12),
    ]
    assert 1 / 3000 < 31 * first.layer_s < 1 / 200
    assert second.layer_s > 0
    assert bench.devices == [(), ("CUDA0",), ("CUDA1",)]


def test_what_cannot_be_gauged_is_told_by_the_starter_model_alone(bench: Bench, shape: ModelShape) -> None:
    found = bench.measure(devices=CUDA[:1])
    assert found is not None
    card = found.speeds[1]
    assert (card.name, card.layer_s) == ("CUDA0", 0.0)
    assert 200 < card.bandwidth_bytes_per_s / shape.active_bytes < 3000
    assert card.compute_flops > 0


def test_a_driver_that_crashes_costs_its_own_figures_only(bench: Bench, tmp_path: Path) -> None:
    die = {"at": "gauge", "how": "segv", "once": str(tmp_path / "died")}
    found = bench.measure(devices=CUDA, speeds=SPEEDS, die=die)
    assert found is not None
    assert [speed.name for speed in found.speeds] == ["CPU", "CUDA1"]
    assert [device.name for device in found.devices] == ["CUDA0", "CUDA1"]
    assert found.speeds[0].bandwidth_bytes_per_s > 0
    assert len(bench.probes) == 2


def test_no_device_can_be_measured(bench: Bench) -> None:
    found = bench.measure(devices=CUDA, die={"at": "gauge", "how": "kill"})
    assert found is not None
    assert [speed.name for speed in found.speeds] == ["CPU"]


def test_a_processor_that_cannot_be_measured_says_so(bench: Bench) -> None:
    with pytest.raises(EngineError):
        bench.measure(load={"code": "out_of_memory"})


def test_a_slow_computer_writes_little(bench: Bench, shape: ModelShape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "READ_S", measuring.READ_S / 10)
    slow = {**REPLY, "tokens_per_s": 120, "read_tokens_per_s": 400}  # a tenth of the time: 12 and 40
    found = bench.measure(replies=[slow])
    assert found is not None
    assert bench.written == [measuring.LEAST_WRITTEN]
    (cpu,) = found.speeds
    assert 20 < cpu.bandwidth_bytes_per_s / shape.active_bytes < 360
    assert cpu.compute_flops > 0
    assert cpu.cache_bytes_per_s == 0, "there was no time for it"


def test_after_a_while_no_further_number_of_threads_is_tried(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "thread_counts", lambda: COUNTS)
    monkeypatch.setattr(measuring, "TRIES_S", 0.0)
    found = bench.measure(devices=CUDA[:1], speeds=SPEEDS)
    assert found is not None
    assert bench.devices == [(), ("CUDA0",)]
    assert bench.loads[0].n_threads == 0
    assert (found.n_threads, [speed.name for speed in found.speeds]) == (0, ["CPU", "CUDA0"])


def test_the_number_that_is_best_is_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "thread_counts", lambda: COUNTS)
    monkeypatch.setattr(measuring, "quickest", lambda tried: 12)
    found = bench.measure()
    assert found is not None
    counts = [options.n_threads for options in bench.loads]
    assert counts[:3] == [0, 12, 8]
    assert counts[-1] == found.n_threads == 12


@pytest.mark.parametrize("after", [0, 1, 4])
def test_it_is_given_up(bench: Bench, after: int) -> None:
    asked = iter(range(after))
    assert bench.measure(lambda: next(asked, None) is None, devices=CUDA, speeds=SPEEDS) is None


def test_it_is_given_up_while_a_device_is_measured(bench: Bench) -> None:
    closed = False

    def give_up() -> bool:
        return closed

    class Closing(list[LoadOptions]):
        def append(self, options: LoadOptions) -> None:
            nonlocal closed
            super().append(options)
            if options.devices:
                closed = True
                bench.probes[-1].close()

    bench.loads = Closing()
    assert bench.measure(give_up, devices=CUDA, speeds=SPEEDS) is None
