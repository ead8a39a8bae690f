"""What options are best: where layers, experts and the cache go, how long a context, and how fast that is told."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.budgets import MARGIN_BYTES, Room, margin_bytes
from app.engine.fit import beyond, estimate, fit, shortage, sizes
from app.engine.gguf import check_loadable
from app.engine.guess import guess
from app.engine.hardware import Device, DeviceSpeed, Machine, Verdict
from app.engine.placing import SMALL_BATCH, best, plan
from app.engine.shape import ModelShape, shape_of
from app.engine.values import LoadOptions, Preference
from tests.support.architectures import Shape, write

MIB = 1024 * 1024
GIB = 1024 * MIB


def card(name: str, size: int, *, kind: str = "gpu", backend: str = "CUDA", host: str = "") -> Device:
    return Device(
        name=name, description="", kind=kind, backend=backend, host=host,
        memory_free_bytes=size, memory_total_bytes=size,
    )  # fmt: skip


def machine(memory: int, *devices: Device, cores: int = 0) -> Machine:
    fast = {"CUDA0": 400e9, "CUDA1": 400e9, "Vulkan0": 60e9}
    return Machine(
        memory_total_bytes=memory,
        memory_free_bytes=memory,
        bandwidth_bytes_per_s=40e9,
        compute_flops=100e9,
        cores=cores,
        devices=devices,
        speeds=tuple(
            DeviceSpeed(name=d.name, bandwidth_bytes_per_s=fast.get(d.name, 100e9), compute_flops=1e12)
            for d in devices
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shapes")


@pytest.fixture(scope="module")
def dense(folder: Path) -> ModelShape:
    """Eight billion parameters in 8 GiB; the cache of 8,192 tokens takes another."""
    made = Shape(32, 4096, 32, 8, 128, 14336, 128256)
    return shape_of(check_loadable(write(folder / "dense.gguf", "llama", made)))


@pytest.fixture(scope="module")
def mixture(folder: Path) -> ModelShape:
    """Thirty billion parameters in 30 GiB, nearly all of them experts."""
    made = Shape(48, 2048, 32, 4, 128, 6144, 128256, n_expert=128, n_expert_used=8, n_ff_expert=768)
    return shape_of(check_loadable(write(folder / "mixture.gguf", "qwen3moe", made)))


# --- where things go ------------------------------------------------------------------------------------------------


def test_a_model_goes_to_as_few_cards_as_hold_it(dense: ModelShape) -> None:
    two = (card("CUDA0", 24 * GIB), card("CUDA1", 12 * GIB))
    found = best(dense, LoadOptions(), machine(64 * GIB, *two))
    assert (found.devices, found.layers_on, found.n_gpu_layers) == (("CUDA0",), (33,), 33)


def test_cards_that_are_needed_are_filled_to_the_same_level(dense: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 8 * GIB), card("CUDA1", 6 * GIB))
    found = best(dense, LoadOptions(), here)
    assert (found.devices, sum(found.layers_on)) == (("CUDA0", "CUDA1"), 33)
    room, taken = Room.for_load(here), sizes(estimate(dense, found, here.devices))
    levels = [taken[name] / room.devices[name] for name in found.devices]
    assert max(levels) <= 1
    assert max(levels) - min(levels) < 0.1


def test_experts_stay_in_main_memory_before_whole_layers_do(mixture: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 16 * GIB))
    found = best(mixture, LoadOptions(), here)
    assert found.n_gpu_layers == 49
    assert 0 < found.n_cpu_experts < 48
    one_less = msgspec.structs.replace(found, n_cpu_experts=found.n_cpu_experts - 1)
    assert not Room.for_load(here).holds(sizes(estimate(mixture, one_less, here.devices)))
    layers = best(mixture, LoadOptions(), machine(64 * GIB, card("CUDA0", 3 * GIB // 2)))
    assert layers.n_cpu_experts == 48
    assert 0 < layers.n_gpu_layers < 49


def test_experts_in_main_memory_are_faster_than_fewer_layers(mixture: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 16 * GIB))
    placed = best(mixture, LoadOptions(), here)
    whole = [
        count for count in range(49)
        if Room.for_load(here).holds(sizes(estimate(mixture, LoadOptions(n_gpu_layers=count), here.devices)))
    ]  # fmt: skip
    plain = LoadOptions(n_gpu_layers=max(whole), devices=("CUDA0",), layers_on=(max(whole),))
    assert fit(mixture, placed, here).tokens_per_s > fit(mixture, plain, here).tokens_per_s
    assert fit(mixture, placed, here).verdict is Verdict.PARTLY


def test_other_computers_come_first_in_the_order_of_layers_and_last_in_being_used(dense: ModelShape) -> None:
    other = card("RPC0", 6 * GIB, backend="RPC", host="192.0.2.7")
    enough = best(dense, LoadOptions(), machine(64 * GIB, other, card("CUDA0", 24 * GIB)))
    assert enough.devices == ("CUDA0",)
    both = best(dense, LoadOptions(), machine(64 * GIB, card("CUDA0", 6 * GIB), other))
    assert both.devices == ("RPC0", "CUDA0")


def test_an_integrated_unit_counts_only_without_a_card(dense: ModelShape) -> None:
    unit = card("Vulkan0", 32 * GIB, kind="igpu", backend="Vulkan")
    assert best(dense, LoadOptions(), machine(32 * GIB, unit)).devices == ("Vulkan0",)
    assert best(dense, LoadOptions(), machine(32 * GIB, unit, card("CUDA0", 6 * GIB))).devices == ("CUDA0",)


def test_without_devices_layers_are_left_to_the_engine(dense: ModelShape) -> None:
    found = best(dense, LoadOptions(), machine(32 * GIB))
    assert (found.n_gpu_layers, found.devices, found.n_ctx) == (-1, (), 8192)


def test_what_a_person_set_stays(dense: ModelShape, mixture: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 8 * GIB), card("CUDA1", 8 * GIB))
    chosen = LoadOptions(n_ctx=4096, n_gpu_layers=10, type_k="q4_0", type_v="q4_0", n_ubatch=256, n_threads=3)
    found = best(dense, chosen, here)
    assert msgspec.structs.replace(found, devices=(), layers_on=()) == chosen
    assert sum(found.layers_on) == 10
    named = LoadOptions(n_gpu_layers=10, devices=("CUDA1",), layers_on=(10,), n_ctx=2048)
    assert best(dense, named, here) == named
    none = LoadOptions(n_gpu_layers=0, n_ctx=2048)
    assert best(dense, none, here) == none
    assert best(mixture, LoadOptions(n_cpu_experts=40, n_ctx=2048), here).n_cpu_experts >= 40


def test_more_layers_than_there_is_room_for_are_placed_all_the_same(dense: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 4 * GIB), card("CUDA1", 2 * GIB))
    found = best(dense, LoadOptions(n_gpu_layers=33, n_ctx=8192), here)
    assert sum(found.layers_on) == 33
    assert found.layers_on[0] > found.layers_on[1]


def test_models_that_are_loaded_leave_less_room(dense: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 24 * GIB))
    first = best(dense, LoadOptions(), here)
    taken = estimate(dense, first, here.devices)
    second = best(dense, LoadOptions(), here, taken=(taken,))
    assert second.n_gpu_layers == 33
    third = best(dense, LoadOptions(), here, taken=(taken, taken))
    assert third.n_gpu_layers < 33
    total = sum(
        sizes(one)["CUDA0"] for one in (taken, taken, estimate(dense, third, here.devices)) if "CUDA0" in sizes(one)
    )
    assert total <= 23 * GIB


def test_what_a_device_takes_beyond_what_was_computed_is_left_to_it(dense: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 8 * GIB))
    first = best(dense, LoadOptions(), here)
    computed = estimate(dense, first, here.devices)
    main, on_card = computed.shares
    real = msgspec.structs.replace(
        computed, shares=(main, msgspec.structs.replace(on_card, compute_bytes=on_card.compute_bytes + GIB))
    )
    second = best(dense, LoadOptions(), here, taken=(beyond(real, computed),))
    again = estimate(dense, second, here.devices)
    assert second.n_gpu_layers < first.n_gpu_layers
    assert 0.8 * GIB < on_card.total_bytes - again.shares[1].total_bytes < 1.3 * GIB


# --- budgets --------------------------------------------------------------------------------------------------------


def test_the_margin_of_a_small_card_is_smaller() -> None:
    assert [margin_bytes(size * GIB) for size in (2, 4, 8, 80)] == [GIB // 4, GIB // 2, GIB, GIB]


def test_workers_of_one_computer_share_its_memory() -> None:
    two = [card(f"RPC{i}", 16 * GIB, backend="RPC", host="192.0.2.7") for i in range(2)]
    room = Room.of(machine(32 * GIB, *two))
    assert room.holds({"CPU": GIB, "RPC0": 10 * GIB, "RPC1": 5 * GIB})
    assert not room.holds({"CPU": GIB, "RPC0": 10 * GIB, "RPC1": 6 * GIB})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_a_worker_on_this_computer_takes_its_memory(host: str) -> None:
    here = machine(8 * GIB, card("RPC0", 8 * GIB, backend="RPC", host=host))
    assert Room.of(here).holds({"CPU": 3 * GIB, "RPC0": 4 * GIB})
    assert not Room.of(here).holds({"CPU": 4 * GIB, "RPC0": 4 * GIB})


def test_unified_memory_is_counted_once() -> None:
    here = machine(16 * GIB, card("MTL0", 12 * GIB, backend="MTL"))
    assert not Room.of(here).holds({"CPU": 6 * GIB, "MTL0": 10 * GIB})


def test_a_load_that_would_swap_is_told_with_numbers(dense: ModelShape) -> None:
    here = msgspec.structs.replace(machine(32 * GIB), memory_free_bytes=4 * GIB)
    found = estimate(dense, LoadOptions(), ())
    assert shortage(found, here) == (found.total_bytes, 4 * GIB)
    assert shortage(found, machine(32 * GIB)) is None
    with_card = msgspec.structs.replace(here, devices=(card("CUDA0", 24 * GIB),))
    assert shortage(estimate(dense, LoadOptions(), with_card.devices), with_card) is None


# --- contexts and caches --------------------------------------------------------------------------------------------


def test_a_preference_decides_about_the_context(dense: ModelShape) -> None:
    here = machine(13 * GIB)
    found = {preference: best(dense, LoadOptions(), here, preference) for preference in Preference}
    fastest, longest, least = (found[one] for one in (Preference.FASTEST, Preference.LONGEST, Preference.LEAST))
    assert (fastest.n_ctx, fastest.type_k) == (8192, "f16")
    assert (longest.n_ctx, longest.type_k) == (32768, "q8_0")
    assert (least.n_ctx, least.type_v, least.n_ubatch) == (4096, "q8_0", SMALL_BATCH)
    taken = [estimate(dense, one).total_bytes for one in (least, fastest, longest)]
    assert taken == sorted(taken)


def test_the_longest_context_is_the_longest(dense: ModelShape) -> None:
    here = machine(int(10.5 * GIB))
    found = best(dense, LoadOptions(), here, Preference.LONGEST)
    assert fit(dense, found, here).fits
    assert not fit(dense, msgspec.structs.replace(found, n_ctx=found.n_ctx + 256), here).fits


def test_what_does_not_fit_as_usual_is_made_smaller(dense: ModelShape) -> None:
    needed = estimate(dense, LoadOptions()).total_bytes + MARGIN_BYTES
    assert best(dense, LoadOptions(), machine(needed)).type_k == "f16"
    quantized = best(dense, LoadOptions(), machine(needed - 1))
    assert (quantized.n_ctx, quantized.type_k) == (8192, "q8_0")
    shorter = best(dense, LoadOptions(), machine(needed - 700 * MIB))
    assert (shorter.n_ctx, shorter.type_k) == (4096, "q8_0")
    nowhere = best(dense, LoadOptions(), machine(4 * GIB))
    assert not fit(dense, nowhere, machine(4 * GIB)).fits


# --- plans ----------------------------------------------------------------------------------------------------------


def test_a_plan_tells_what_was_suggested_and_what_was_set(mixture: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 16 * GIB), cores=8)
    found = plan(mixture, LoadOptions(), here)
    assert found.options == found.suggested
    assert (found.by_person, found.n_layer, found.n_expert_layers, found.options.n_threads) == (False, 48, 48, 8)
    by_hand = plan(mixture, LoadOptions(n_gpu_layers=20), here)
    assert by_hand.by_person
    assert by_hand.suggested == found.suggested
    assert by_hand.fit.plan.n_gpu_layers == 20
    kept = msgspec.structs.replace(found.options, n_ubatch=128)
    assert plan(mixture, LoadOptions(), here, kept=kept).options == kept
    assert plan(mixture, LoadOptions(n_gpu_layers=20), here, kept=kept).options.n_ubatch == 512


@pytest.mark.parametrize("preference", Preference)
def test_a_plan_is_there_before_a_finger_moves_on(mixture: ModelShape, preference: Preference) -> None:
    here = machine(64 * GIB, card("CUDA0", 16 * GIB), card("CUDA1", 4 * GIB))
    took = []
    for layers in range(10):
        began = time.perf_counter()
        plan(mixture, LoadOptions(n_gpu_layers=layers), here, preference)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.05  # ten times the promise


@given(
    memory=st.integers(2, 64),
    video=st.lists(st.integers(0, 48), max_size=3),
    n_ctx=st.sampled_from((0, 256, 4096, 32768)),
    preference=st.sampled_from(Preference),
    architecture=st.sampled_from(("llama", "qwen3moe", "gemma3", "mamba", "deepseek2")),
)
def test_what_fits_is_placed_where_it_fits(
    memory: int, video: list[int], n_ctx: int, preference: Preference, architecture: str
) -> None:
    shape = guess(8_000_000_000, architecture=architecture, context_length=32768)
    here = machine(memory * GIB, *(card(f"CUDA{i}", size * GIB) for i, size in enumerate(video)))
    found = best(shape, LoadOptions(n_ctx=n_ctx), here, preference)
    placed = estimate(shape, found, here.devices)
    on_cpu = [
        estimate(shape, msgspec.structs.replace(found, n_gpu_layers=0, devices=(), layers_on=(), n_cpu_experts=0))
    ]
    if Room.for_load(here).holds(sizes(on_cpu[0])):  # then there is no excuse
        assert Room.for_load(here).holds(sizes(placed))
    if placed.n_gpu_layers:
        assert sum(found.layers_on) == placed.n_gpu_layers == found.n_gpu_layers
        assert [share.layers for share in placed.shares[1:]] == list(found.layers_on)
    assert placed.weights_bytes >= shape.weights_bytes - shape.output_bytes


# --- mapped or copied -------------------------------------------------------------------------------------------------


def large(memory: int, *devices: Device) -> Machine:
    return msgspec.structs.replace(machine(memory, *devices), large_pages=True)


def test_weights_are_copied_into_large_pages_where_there_is_room_for_twice_as_much(dense: ModelShape) -> None:
    taken = estimate(dense, LoadOptions(n_ctx=4096)).total_bytes
    for memory, mapped in ((2 * taken - MIB, True), (2 * taken, False)):
        found = best(dense, LoadOptions(n_ctx=4096), large(memory))
        assert found.mapped is mapped
    on_a_card = best(dense, LoadOptions(n_ctx=4096), large(3 * GIB, card("CUDA0", 16 * GIB)))
    assert (on_a_card.n_gpu_layers, on_a_card.use_mmap) == (33, False), "what lies on the card is not in main memory"


def test_weights_are_mapped_where_nothing_is_gained_by_a_copy(dense: ModelShape) -> None:
    assert best(dense, LoadOptions(), machine(100 * GIB)).mapped
    assert best(dense, LoadOptions(), large(100 * GIB), Preference.LEAST).mapped
    held_twice = dataclasses.replace(dense, architecture="gemma3n")
    assert best(held_twice, LoadOptions(), large(100 * GIB)).mapped


def test_what_was_set_for_mapping_stays(dense: ModelShape) -> None:
    assert best(dense, LoadOptions(use_mmap=True), large(100 * GIB)).use_mmap is True
    assert best(dense, LoadOptions(use_mmap=False), machine(100 * GIB)).use_mmap is False
