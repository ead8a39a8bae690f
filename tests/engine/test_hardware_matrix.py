"""A small part of the matrix of plans (the whole of it is a benchmark), two devices, and that memory really ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.command import worker_command
from app.engine.errors import OutOfMemory
from app.engine.fit import estimate, sizes
from app.engine.gguf import check_loadable
from app.engine.hardware import Device, Machine
from app.engine.ladder import steps
from app.engine.placing import best
from app.engine.probe import Probe, probing
from app.engine.shape import shape_of
from app.engine.values import LoadOptions
from tests.support.architectures import write
from tests.support.hardware_matrix import MAIN_BYTES, MIB, MODEL, OWN_BYTES, Answer, Cell, answers
from tests.support.rpc import rpc_worker

SAMPLE = (
    Cell("llama", 16384, "f16", 32),
    Cell("mixtral", 4096, "q8_0", 64),
    Cell("gemma3n", 16384, "f16", 128),
    Cell("deepseek2", 32768, "q4_0", 64),
    Cell("lfm2", 32768, "f16", 32),
    Cell("qwen3next", 4096, "f16", 64),
    Cell("mamba", 512, "f16", 32),
)


def device(name: str, size: int) -> Device:
    return Device(
        name=name, description="", kind="gpu", backend="RPC", host="192.0.2.1",
        memory_free_bytes=size, memory_total_bytes=size,
    )  # fmt: skip


def machine(*devices: Device) -> Machine:
    return Machine(memory_total_bytes=MAIN_BYTES, memory_free_bytes=MAIN_BYTES, devices=devices)


def test_a_sample_of_the_matrix_loads_at_the_first_try(tmp_path: Path) -> None:
    found = list(answers(tmp_path, SAMPLE))
    assert [answer for answer in found if answer.wrong] == []
    kinds = {_kind(answer) for answer in found}
    assert kinds == {"none", "part", "whole"} or kinds == {"part", "whole"}


def _kind(answer: Answer) -> str:
    return "whole" if answer.layers == answer.of else "part" if answer.layers else "none"


@pytest.fixture(scope="module")
def devices() -> Iterator[tuple[Probe, tuple[str, ...]]]:
    """An engine and two devices."""
    with rpc_worker() as one, rpc_worker() as other, probing(worker_command()) as probe:
        yield probe, (one.endpoint, other.endpoint)


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "jamba"])
@pytest.mark.parametrize(("first", "second"), [(4, 5), (2, 4)])
def test_two_devices_take_what_was_computed(
    architecture: str, first: int, second: int, devices: tuple[Probe, tuple[str, ...]], tmp_path: Path
) -> None:
    probe, rpc = devices
    path = write(tmp_path / "m.gguf", architecture, MODEL)
    options = LoadOptions(
        n_ctx=4096, rpc=rpc, n_gpu_layers=first + second, devices=("RPC0", "RPC1"), layers_on=(first, second)
    )
    computed = estimate(shape_of(check_loadable(path)), options, (device("RPC0", 0), device("RPC1", 0)))
    loaded = probe.load(path, options)
    probe.unload()
    for mine, taken in zip(computed.shares, loaded.shares, strict=True):
        assert (mine.name, mine.layers) == (taken.name, taken.layers)
        assert mine.weights_bytes == pytest.approx(taken.weights_bytes, abs=0.05 * MIB)
        assert mine.kv_bytes == pytest.approx(taken.kv_bytes, abs=0.05 * MIB)
        assert mine.compute_bytes >= taken.compute_bytes - max(0.03 * taken.total_bytes, MIB)
        assert mine.compute_bytes <= 2.5 * taken.compute_bytes + MIB


def test_a_device_that_is_too_small_refuses_and_the_ladder_leads_to_a_load(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", "llama", MODEL)
    shape = shape_of(check_loadable(path))
    size = 48 * MIB
    with rpc_worker(memory_bytes=size + OWN_BYTES) as worker, probing(worker_command()) as probe:
        believed = machine(device("RPC0", 512 * MIB))  # nonsense, as drivers report at times
        options = best(shape, LoadOptions(n_ctx=16384, rpc=(worker.endpoint,), n_threads=1), believed)
        assert sizes(estimate(shape, options, believed.devices))["RPC0"] > size + OWN_BYTES
        with pytest.raises(OutOfMemory):
            probe.load(path, options)
        tried = []
        for step in steps(shape, options, believed):
            tried.append(step.sentence)
            try:
                loaded = probe.load(path, step.options)
            except OutOfMemory:
                continue
            break
        assert tried
        assert loaded.shares[1].layers == step.options.n_gpu_layers > 0
