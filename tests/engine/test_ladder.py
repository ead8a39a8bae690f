"""What is tried after a load that failed: in which order, in which words, and that each rung needs less."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.fit import estimate
from app.engine.gguf import check_loadable
from app.engine.guess import guess
from app.engine.hardware import MemoryPlan
from app.engine.ladder import LEAST_CONTEXT, steps, without_devices
from app.engine.placing import best
from app.engine.shape import ModelShape, shape_of
from app.engine.values import LoadOptions
from tests.engine.test_placing import GIB, card, machine
from tests.support.architectures import Shape, write


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> ModelShape:
    path: Path = tmp_path_factory.mktemp("shape") / "m.gguf"
    return shape_of(check_loadable(write(path, "llama", Shape(32, 4096, 32, 8, 128, 14336, 128256))))


def test_the_rungs_and_their_words(dense: ModelShape) -> None:
    here = machine(64 * GIB, card("CUDA0", 24 * GIB))
    found = list(steps(dense, best(dense, LoadOptions(), here), here))
    assert [step.sentence for step in found] == [
        "Fewer layers on the graphics device: 24 of 33 instead of 33.",
        "Fewer layers on the graphics device: 16 of 33 instead of 24.",
        "A smaller compute batch: 128 tokens at once instead of 512.",
        "The conversation's memory in 8 bit: 570 MB instead of 1.1 GB.",
        "A shorter context: 4,096 tokens instead of 8,192.",
        "A shorter context: 2,048 tokens instead of 4,096.",
        "On the processor alone: none of 16 layers on the graphics device.",
    ]
    last = found[-1].options
    assert (last.n_gpu_layers, last.devices, last.n_ctx, last.type_k) == (0, (), 2048, "q8_0")


def test_on_the_cpu_the_third_step_is_a_shorter_context(dense: ModelShape) -> None:
    found = [step.options for step in steps(dense, LoadOptions(), machine(16 * GIB))]
    assert [(one.n_ubatch, one.type_k, one.n_ctx) for one in found] == [
        (128, "f16", 8192), (128, "q8_0", 8192), (128, "q8_0", 4096), (128, "q8_0", 2048),
    ]  # fmt: skip


def test_experts_go_before_layers(tmp_path: Path) -> None:
    made = Shape(48, 2048, 32, 4, 128, 6144, 128256, n_expert=128, n_expert_used=8, n_ff_expert=768)
    mixture = shape_of(check_loadable(write(tmp_path / "m.gguf", "qwen3moe", made)))
    here = machine(64 * GIB, card("CUDA0", 48 * GIB))
    first, second, third, *_ = steps(mixture, best(mixture, LoadOptions(), here), here)
    assert first.sentence == "The experts of 25 of 48 layers stay in main memory."
    assert second.options.n_cpu_experts == 48
    assert third.options.n_gpu_layers == 36


def test_room_for_two_conversations_goes_before_the_context(dense: ModelShape) -> None:
    options = LoadOptions(n_ctx=4096, n_cells=8192, n_ubatch=128, type_k="q8_0", type_v="q8_0", n_seq_max=2)
    found = [(step.options.n_cells, step.options.n_ctx) for step in steps(dense, options, machine(16 * GIB))]
    assert found == [(0, 4096), (0, 2048)]


def test_a_fault_of_a_device_leads_to_the_processor_at_once() -> None:
    step = without_devices(LoadOptions(n_ctx=4096, n_gpu_layers=20, devices=("RPC0",), layers_on=(20,), rpc=("a:1",)))
    assert step.options == LoadOptions(n_ctx=4096, n_gpu_layers=0)
    assert "processor" in step.sentence


def _on(plan: MemoryPlan) -> int:
    return sum(share.total_bytes for share in plan.shares[1:])


@given(
    video=st.lists(st.integers(1, 48), max_size=2),
    n_ctx=st.sampled_from((0, 256, 3000, 32768)),
    architecture=st.sampled_from(("llama", "qwen3moe", "gemma3", "mamba", "deepseek2")),
)
def test_each_rung_needs_less_than_the_one_before(video: list[int], n_ctx: int, architecture: str) -> None:
    shape = guess(8_000_000_000, architecture=architecture, context_length=32768)
    here = machine(64 * GIB, *(card(f"CUDA{i}", size * GIB) for i, size in enumerate(video)))
    options = best(shape, LoadOptions(n_ctx=n_ctx), here)
    before = estimate(shape, options, here.devices)
    for step in steps(shape, options, here):
        now = estimate(shape, step.options, here.devices)
        assert (_on(now), now.total_bytes) < (_on(before), before.total_bytes)
        assert now.n_ctx >= min(LEAST_CONTEXT, before.n_ctx)
        assert step.sentence.endswith(".")
        assert "\n" not in step.sentence
        before = now
    if video and options.n_gpu_layers > 0:
        assert before.n_gpu_layers == 0
