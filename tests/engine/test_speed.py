"""How fast a model is foretold to be: bytes over bandwidth, and on a card what each layer costs besides."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from app.engine.fit import estimate, fit
from app.engine.gguf import check_loadable
from app.engine.hardware import Device, DeviceSpeed, Machine, Verdict
from app.engine.placing import best
from app.engine.shape import ModelShape, shape_of
from app.engine.speed import tokens_per_s, ttft_s
from app.engine.values import LoadOptions
from app.services.measuring import layer_s
from tests.support.architectures import Q4_K, Shape, write

GIB = 1024**3
WRITTEN, READ, OPERATIONS = 312.0, 3e12, 3e14
"""What an H100 did: tokens of the starter model, bytes of a large matrix and operations in a second."""


@pytest.fixture(scope="module")
def starter(starter_model: Path) -> ModelShape:
    return shape_of(check_loadable(starter_model))


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> ModelShape:
    """Seven billion parameters in 4 GB and 32 layers."""
    made = Shape(32, 4096, 32, 8, 128, 14336, 32000, kind=Q4_K)
    return shape_of(check_loadable(write(tmp_path_factory.mktemp("seven") / "m.gguf", "llama", made)))


def card(name: str, size: int = 80 * GIB, kind: str = "gpu") -> Device:
    return Device(name=name, description="", kind=kind, memory_free_bytes=size, memory_total_bytes=size)


def computer(*cards: tuple[Device, DeviceSpeed]) -> Machine:
    return Machine(
        memory_total_bytes=128 * GIB,
        memory_free_bytes=128 * GIB,
        bandwidth_bytes_per_s=50e9,
        compute_flops=1e12,
        cache_bytes_per_s=20e9,
        devices=tuple(device for device, _ in cards),
        speeds=tuple(speed for _, speed in cards),
        measured_ms=1,
    )


def speed(name: str, bandwidth: float, flops: float = 1e12, layer: float = 0.0) -> DeviceSpeed:
    return DeviceSpeed(
        name=name, bandwidth_bytes_per_s=bandwidth, compute_flops=flops, cache_bytes_per_s=bandwidth, layer_s=layer
    )


@pytest.fixture(scope="module")
def large(starter: ModelShape) -> Machine:
    """A computer with that card."""
    return computer((card("CUDA0"), speed("CUDA0", READ, OPERATIONS, layer_s(starter, WRITTEN, 0.0, READ))))


def foretold(shape: ModelShape, options: LoadOptions, here: Machine) -> float:
    return tokens_per_s(shape, options, here, estimate(shape, options, here.devices))


def test_the_starter_model_is_foretold_as_it_was_measured(starter: ModelShape, large: Machine) -> None:
    assert foretold(starter, LoadOptions(n_ctx=512), large) == pytest.approx(WRITTEN, rel=0.02)


def test_a_large_model_on_a_large_card(seven: ModelShape, large: Machine) -> None:
    assert 3.8e9 < seven.active_bytes < 4.2e9
    assert 150 < foretold(seven, LoadOptions(n_ctx=4096), large) < 350
    assert fit(seven, best(seven, LoadOptions(), large), large).verdict is Verdict.GPU


def test_each_layer_costs_besides_where_it_lies(seven: ModelShape) -> None:
    plain = computer((card("CUDA0"), speed("CUDA0", 400e9, 1e13)))
    slow = computer((card("CUDA0"), speed("CUDA0", 400e9, 1e13, layer=1e-3)))
    for layers in (0, 10, 33):
        options = LoadOptions(n_ctx=4096, n_gpu_layers=layers)
        more = 1 / foretold(seven, options, slow) - 1 / foretold(seven, options, plain)
        assert more == pytest.approx(layers * 1e-3)


def test_a_prompt_pays_for_layers_by_the_batch(seven: ModelShape) -> None:
    plain = computer((card("CUDA0"), speed("CUDA0", 400e9, 1e13)))
    slow = computer((card("CUDA0"), speed("CUDA0", 400e9, 1e13, layer=1e-3)))
    for batch, count in ((512, 2), (128, 8), (2048, 2)):  # no more than n_batch at once
        options = LoadOptions(n_ctx=4096, n_ubatch=batch)
        plan = estimate(seven, options, plain.devices)
        more = ttft_s(seven, options, slow, plan) - ttft_s(seven, options, plain, plan)
        assert more == pytest.approx(count * 33 * 1e-3)


def test_a_device_that_was_not_measured_is_not_guessed(seven: ModelShape) -> None:
    here = msgspec.structs.replace(computer((card("CUDA0"), speed("CUDA0", 1e12))), speeds=())
    options = LoadOptions(n_ctx=4096)
    plan = estimate(seven, options, here.devices)
    assert (tokens_per_s(seven, options, here, plan), ttft_s(seven, options, here, plan)) == (0.0, 0.0)
    alone = LoadOptions(n_ctx=4096, n_gpu_layers=0)
    assert foretold(seven, alone, here) > 0


@pytest.mark.parametrize("kind", ["gpu", "igpu"])
def test_the_fastest_device_is_used_whatever_a_small_model_does_on_it(
    seven: ModelShape, large: Machine, kind: str
) -> None:
    fast = (card("Vulkan1", 16 * GIB, kind), msgspec.structs.replace(large.speeds[0], name="Vulkan1"))
    slow = (card("Vulkan0", 32 * GIB, kind), speed("Vulkan0", 40e9, 1e12, layer=1e-5))
    for order in ((slow, fast), (fast, slow)):
        here = computer(*order)
        found = best(seven, LoadOptions(), here)
        assert found.devices == ("Vulkan1",)
        other = msgspec.structs.replace(found, devices=("Vulkan0",))
        assert foretold(seven, found, here) > 10 * foretold(seven, other, here)


def test_a_card_comes_before_an_integrated_unit(seven: ModelShape, large: Machine) -> None:
    unit = (card("Vulkan0", 64 * GIB, "igpu"), speed("Vulkan0", 40e9))
    here = computer(unit, (card("CUDA0", 16 * GIB), large.speeds[0]))
    assert best(seven, LoadOptions(), here).devices == ("CUDA0",)
