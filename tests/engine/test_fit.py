"""What will fit: formulae against llama.cpp's plans, plans against what real loads log, and verdicts.

All models here are as large as the real ones where nothing is loaded, and tiny where something is.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.bare import write_bare
from app.engine.budgets import MARGIN_BYTES
from app.engine.command import worker_command
from app.engine.engine import Engine
from app.engine.errors import GgufBroken
from app.engine.fit import estimate, fit, max_context
from app.engine.gguf import check_loadable, open_model
from app.engine.gguf_header import Header, Tensor
from app.engine.guess import active_params, guess
from app.engine.hardware import Device, DeviceSpeed, Fit, Machine, MemoryPlan, Verdict
from app.engine.placing import best
from app.engine.probe import Probe, probing
from app.engine.shape import CELLS, ModelShape, shape_of
from app.engine.values import LoadOptions
from tests.support.architectures import MAKERS, Q4_K, Shape, write
from tests.support.engines import WAIT_S

MIB = 1024 * 1024
GIB = 1024 * MIB
ROUNDED = 0.011 * MIB  # what a number with two digits in the log may be off
LAYERS = {"gemma3n": 30, "gemma3": 12}
OPTIONS = (
    LoadOptions(n_ctx=4096, n_gpu_layers=0),
    LoadOptions(n_ctx=9000, type_k="q8_0", type_v="q8_0", n_ubatch=256, n_gpu_layers=0),
)
PLAIN = LoadOptions(n_ctx=4096, use_mmap=False, n_gpu_layers=0)
"""Without mapping, which reports a tensor twice that is mapped from the file and copied for the processor."""

S = Shape
LARGE = {
    "llama 1B": ("llama", S(16, 2048, 32, 8, 64, 8192, 128256)),
    "llama 8B": ("llama", S(32, 4096, 32, 8, 128, 14336, 128256)),
    "llama 70B": ("llama", S(80, 8192, 64, 8, 128, 28672, 128256)),
    "all heads 7B": ("llama", S(32, 4096, 32, 32, 128, 11008, 32000)),
    "mixtral 8x7B": ("mixtral", S(32, 4096, 32, 8, 128, 14336, 32000, n_ff_expert=14336)),
    "gemma2 9B": ("gemma2", S(42, 3584, 16, 8, 256, 14336, 256000, window=4096)),
    "gemma3 27B": ("gemma3", S(62, 5376, 32, 16, 128, 21504, 256000, window=1024)),
    "gemma3n E2B": ("gemma3n", S(30, 2048, 8, 2, 256, 8192, 256000, window=512)),
    "qwen3 30B-A3B": (
        "qwen3moe",
        S(48, 2048, 32, 4, 128, 6144, 128256, n_expert=128, n_expert_used=8, n_ff_expert=768),
    ),
    "gpt-oss 20B": ("gpt-oss", S(24, 2880, 64, 8, 64, 2880, 128256, n_expert=32, n_expert_used=4, n_ff_expert=2880)),
    "deepseek 671B": (
        "deepseek2",
        S(61, 7168, 128, 1, 128, 18432, 128256, n_expert=256, n_expert_used=8, n_ff_expert=2048),
    ),
    "mamba 7B": ("mamba", S(64, 4096, 0, 0, 0, 0, 32000)),
    "jamba 9B": ("jamba", S(32, 4096, 32, 8, 128, 14336, 32000)),
    "lfm2 1B": ("lfm2", S(16, 2048, 32, 8, 64, 8192, 32000)),
    "qwen3next 80B": (
        "qwen3next",
        S(48, 2048, 16, 2, 256, 5120, 128256, n_expert=512, n_expert_used=10, n_ff_expert=512),
    ),
}


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    """One process for all plans of this file."""
    with probing(worker_command()) as probe:
        yield probe


def tiny(folder: Path, architecture: str) -> Path:
    return write(folder / f"{architecture}.gguf", architecture, Shape(n_layer=LAYERS.get(architecture, 4)))


def near(one: float, other: float) -> bool:
    """What is promised: within 3 % or 1 MiB."""
    return abs(one - other) <= max(0.03 * other, MIB)


# --- plans against real loads ---------------------------------------------------------------------------------------


def logged(path: Path, options: LoadOptions, caplog: pytest.LogCaptureFixture) -> dict[str, float]:
    """The buffers that a real load says it takes, in bytes, by their kind."""
    others = {thread.ident for thread in threading.enumerate()}  # the probe's lines may come late
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="app.engine.child"):
        engine = Engine(worker_command())
        try:
            engine.load(path, options).result(WAIT_S)
        finally:
            engine.close()  # after it, every line has been read
    said = "\n".join(record.getMessage() for record in caplog.records if record.thread not in others)
    sums: dict[str, float] = {}
    for kind, size in re.findall(r" (model|KV|RS|compute|output) buffer size = +([\d.]+) MiB", said):
        sums[kind] = sums.get(kind, 0.0) + float(size) * MIB
    return sums


@pytest.mark.parametrize("architecture", [*MAKERS, "llama in a layout of the processor's own"])
def test_a_plan_is_what_a_real_load_takes(
    architecture: str, probe: Probe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if architecture in MAKERS:
        path = tiny(tmp_path, architecture)
    else:
        path = write(tmp_path / "m.gguf", "llama", Shape(n_embd=512, n_ff=1024, kind=Q4_K))
    plan, real = probe.plan(path, PLAIN), logged(path, PLAIN, caplog)
    assert plan.exact
    assert plan.weights_bytes == pytest.approx(real["model"], abs=2 * ROUNDED)
    assert plan.kv_bytes == pytest.approx(real.get("KV", 0) + real.get("RS", 0), abs=3 * ROUNDED)
    assert plan.compute_bytes == pytest.approx(real["compute"] + real["output"], abs=ROUNDED)
    assert near(estimate(shape_of(check_loadable(path)), PLAIN).total_bytes, sum(real.values()))


def test_the_starter_model_takes_what_was_planned(
    probe: Probe, starter_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan, real = probe.plan(starter_model, OPTIONS[1]), logged(starter_model, OPTIONS[1], caplog)
    assert plan.n_ctx == 8192  # no more than it was trained for
    assert plan.total_bytes == pytest.approx(sum(real.values()), abs=4 * ROUNDED)
    assert near(estimate(shape_of(check_loadable(starter_model)), OPTIONS[1]).total_bytes, sum(real.values()))


@pytest.mark.parametrize("architecture", MAKERS)
def test_a_header_without_its_vocabulary_gives_the_same_plan(architecture: str, probe: Probe, tmp_path: Path) -> None:
    shape = Shape(n_layer=LAYERS.get(architecture, 4), n_vocab=4096)
    path, bare = write(tmp_path / "whole.gguf", architecture, shape), tmp_path / "bare.gguf"
    with open_model(path) as (read_at, _):
        write_bare(bare, read_at, check_loadable(path))
    assert bare.stat().st_blocks < path.stat().st_blocks
    for options in OPTIONS:
        assert probe.plan(bare, options) == probe.plan(path, options)


# --- formulae against plans -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LARGE)
def test_the_formulae_agree_with_llama_cpp(name: str, probe: Probe, tmp_path: Path) -> None:
    architecture, size = LARGE[name]
    path, bare = write(tmp_path / "whole.gguf", architecture, size), tmp_path / "bare.gguf"
    header = check_loadable(path)
    with open_model(path) as (read_at, _):
        write_bare(bare, read_at, header)
    shape = shape_of(header)
    for options in (*OPTIONS, LoadOptions(n_ctx=32768, n_gpu_layers=0)):
        plan, computed = probe.plan(bare, options), estimate(shape, options)
        assert (computed.n_ctx, computed.weights_bytes) == (plan.n_ctx, plan.weights_bytes)
        assert computed.kv_bytes == pytest.approx(plan.kv_bytes, abs=2 * ROUNDED)
        assert near(computed.total_bytes, plan.total_bytes)
        assert abs(computed.compute_bytes / plan.compute_bytes - 1) < 0.25


def test_cells_beyond_one_window_are_counted(probe: Probe, starter_model: Path) -> None:
    shape = shape_of(check_loadable(starter_model))
    options = LoadOptions(n_ctx=8192, n_cells=32_768, n_seq_max=4, n_gpu_layers=0)
    plan, computed = probe.plan(starter_model, options), estimate(shape, options)
    assert computed.kv_bytes == pytest.approx(plan.kv_bytes, abs=2 * ROUNDED)
    assert near(computed.compute_bytes, plan.compute_bytes)


def test_a_state_is_kept_for_each_sequence(probe: Probe, tmp_path: Path) -> None:
    path = tiny(tmp_path, "jamba")
    shape = shape_of(check_loadable(path))
    for slots in (1, 4):
        options = LoadOptions(n_ctx=2048, n_seq_max=slots, n_gpu_layers=0)
        assert estimate(shape, options).kv_bytes == pytest.approx(probe.plan(path, options).kv_bytes, abs=2 * ROUNDED)


def test_only_the_experts_that_are_asked_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", "mixtral", Shape(n_expert=8, n_expert_used=2))
    shape = shape_of(check_loadable(path))
    everything = sum(shape.layer_bytes) + shape.output_bytes
    assert shape.active_bytes == everything - shape.expert_bytes * 3 / 4
    assert shape.active_params < shape.n_params / 2


# --- hostile headers ------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.integers(-5, 5), st.integers(0, 600), st.integers(-(2**63), 2**64 - 1))
KEYS = st.sampled_from(
    (
        "block_count", "embedding_length", "context_length", "attention.head_count", "attention.head_count_kv",
        "attention.key_length", "attention.value_length", "attention.key_length_mla", "attention.value_length_mla",
        "attention.sliding_window", "attention.sliding_window_pattern", "attention.shared_kv_layers", "expert_count",
        "expert_used_count", "ssm.inner_size", "ssm.state_size", "ssm.conv_kernel", "ssm.group_count", "wkv.head_size",
        "shortconv.l_cache", "full_attention_interval", "nextn_predict_layers", "feed_forward_length",
        "attention.recurrent_layers", "embedding_length_per_layer_input", "kda.head_dim", "token_shift_count",
    )
)  # fmt: skip
VALUES = st.one_of(NUMBERS, st.text(max_size=3), st.floats(), st.booleans(), st.lists(NUMBERS, max_size=5).map(tuple))


@given(
    st.sampled_from(("llama", "gemma3", "gemma3n", "qwen3next", "deepseek2", "mamba", "falcon-h1", "nemotron_h", "x")),
    st.dictionaries(KEYS, VALUES),
    st.integers(1, 4),
)
def test_no_header_makes_the_formulae_fail(architecture: str, values: dict[str, object], layers: int) -> None:
    keys = {f"{architecture}.{key}": value for key, value in ({"block_count": layers} | values).items()}
    tensors = (Tensor("token_embd.weight", (32, 8), 0, 0, 1024), Tensor("blk.0.ffn_down.weight", (64, 32), 0, 0, 8192))
    header = Header(3, {"general.architecture": architecture} | keys, tensors, 32, 4096, 100_000)  # type: ignore[arg-type]
    try:
        shape = shape_of(header)
    except GgufBroken:
        return
    found = judged(shape, LoadOptions(), with_gpu(8 * GIB))
    assert found.plan.total_bytes >= 0
    assert found.max_ctx >= 0
    assert found.why


# --- verdicts -------------------------------------------------------------------------------------------------------


def machine(memory: int, *devices: Device) -> Machine:
    return Machine(
        memory_total_bytes=memory,
        memory_free_bytes=memory,
        bandwidth_bytes_per_s=20e9,
        compute_flops=100e9,
        devices=devices,
        speeds=tuple(
            DeviceSpeed(name=device.name, bandwidth_bytes_per_s=400e9, compute_flops=20e12) for device in devices
        ),
    )


def card(size: int, name: str = "CUDA0", kind: str = "gpu") -> Device:
    return Device(name=name, description="", kind=kind, memory_free_bytes=size, memory_total_bytes=size)


def with_gpu(size: int, memory: int = 32 * GIB) -> Machine:
    return machine(memory, card(size))


def judged(shape: ModelShape, options: LoadOptions, here: Machine) -> Fit:
    """What a model is like with the options that are best for it."""
    return fit(shape, best(shape, options, here), here)


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> ModelShape:
    """A dense model of 8 billion parameters and 8 GiB, trained for 32,768 tokens."""
    path = write(tmp_path_factory.mktemp("eight") / "m.gguf", *LARGE["llama 8B"])
    return shape_of(check_loadable(path))


OPEN = LoadOptions(n_ctx=8192)


def test_where_a_model_runs(eight: ModelShape) -> None:
    found = {size: judged(eight, OPEN, with_gpu(size * GIB // 4)) for size in (96, 24, 1)}
    assert [one.verdict for one in found.values()] == [Verdict.GPU, Verdict.PARTLY, Verdict.MEMORY]
    assert found[96].plan.n_gpu_layers == 33
    assert 8 < found[24].plan.n_gpu_layers < 33
    assert found[1].plan.n_gpu_layers == 0
    speeds = [one.tokens_per_s for one in found.values()]
    assert speeds == sorted(speeds, reverse=True)
    assert [one.ttft_s for one in found.values()] == sorted(one.ttft_s for one in found.values())
    nowhere = judged(eight, OPEN, machine(8 * GIB))
    assert (nowhere.verdict, nowhere.fits) == (Verdict.NO, False)


def test_what_is_too_large_is_told_all_there_is(eight: ModelShape) -> None:
    def why(here: Machine) -> str:
        found = judged(eight, LoadOptions(n_ctx=32768), here)
        assert found.verdict is Verdict.NO
        return found.why.partition(", and ")[2]

    assert why(machine(4 * GIB)) == "there are 4.3 GB of memory, of which 1.1 GB stay free."
    assert why(with_gpu(2 * GIB, 4 * GIB)) == (
        "there are 4.3 GB of memory and 2.1 GB on the graphics card, of which 1.3 GB stay free."
    )
    far = [
        msgspec.structs.replace(card(2 * GIB, name), backend="RPC", host="192.0.2.7:50052") for name in ("RPC0", "RPC1")
    ]
    assert why(machine(4 * GIB, *far)) == (
        "there are 4.3 GB of memory and 2.1 GB on another computer, of which 1.3 GB stay free."
    )
    assert why(machine(0)) == "how much memory this computer has is not known."


def test_a_gibibyte_is_left_free(eight: ModelShape) -> None:
    needed = estimate(eight, OPEN).total_bytes
    assert fit(eight, OPEN, machine(needed + MARGIN_BYTES)).fits
    assert not fit(eight, OPEN, machine(needed + MARGIN_BYTES - 1)).fits


def test_what_is_free_now_is_said_apart(eight: ModelShape) -> None:
    full = msgspec.structs.replace(machine(32 * GIB), memory_free_bytes=4 * GIB)
    found = judged(eight, OPEN, full)
    assert (found.fits, found.fits_now) == (True, False)
    assert "4.3 GB are free" in found.why


def test_a_graphics_unit_without_memory_of_its_own_takes_main_memory(eight: ModelShape) -> None:
    shared = [machine(memory * GIB, card(memory * GIB, "Vulkan0", "igpu")) for memory in (32, 9)]
    assert [judged(eight, OPEN, one).verdict for one in shared] == [Verdict.GPU, Verdict.NO]


def test_two_cards_share_the_layers(eight: ModelShape) -> None:
    two = machine(32 * GIB, card(8 * GIB), card(5 * GIB, "CUDA1"))
    plan = judged(eight, OPEN, two).plan
    main, first, second = plan.shares
    assert (plan.n_gpu_layers, main.kv_bytes) == (33, 0)
    assert 1.5 < first.weights_bytes / second.weights_bytes < 2.5
    assert plan.weights_bytes == eight.weights_bytes


@pytest.mark.parametrize("memory", [10, 11, 12, 64])
def test_the_longest_context_fits_and_no_longer_one_does(eight: ModelShape, memory: int) -> None:
    here = machine(memory * GIB)
    most = max_context(eight, OPEN, here)
    assert fit(eight, msgspec.structs.replace(OPEN, n_ctx=most), here).fits
    if most < eight.n_ctx_train:
        longer = msgspec.structs.replace(OPEN, n_ctx=most + CELLS)
        assert not fit(eight, longer, here).fits
    else:
        assert memory == 64


def test_what_the_exact_plan_knows_better_shortens_the_context(eight: ModelShape) -> None:
    here = machine(11 * GIB)
    plan = estimate(eight, OPEN)
    share = msgspec.structs.replace(plan.shares[0], compute_bytes=plan.shares[0].compute_bytes + GIB)
    more = MemoryPlan(n_ctx=plan.n_ctx, n_gpu_layers=0, exact=True, shares=(share,))
    per_token = plan.kv_bytes // plan.n_ctx
    lost = max_context(eight, OPEN, here) - max_context(eight, OPEN, here, more)
    assert lost * per_token == pytest.approx(GIB, rel=0.02)


def test_speed_is_bandwidth_over_what_is_read(eight: ModelShape) -> None:
    found = judged(eight, OPEN, machine(32 * GIB))
    read = eight.active_bytes + found.plan.kv_bytes / 2
    assert found.tokens_per_s == pytest.approx(20e9 / read)
    assert found.ttft_s == pytest.approx(1000 * 2 * eight.active_params / 100e9)
    slow = msgspec.structs.replace(machine(32 * GIB), cache_bytes_per_s=2e9)
    seconds = eight.active_bytes / 20e9 + found.plan.kv_bytes / 2 / 2e9
    assert judged(eight, OPEN, slow).tokens_per_s == pytest.approx(1 / seconds)
    assert judged(eight, OPEN, Machine(memory_total_bytes=32 * GIB, memory_free_bytes=0)).tokens_per_s == 0


@given(st.integers(1, 64), st.integers(0, 48), st.sampled_from((256, 4096, 32768)))
def test_more_memory_never_makes_it_worse(memory: int, video: int, n_ctx: int) -> None:
    shape = guess(8_000_000_000, architecture="llama", context_length=32768)
    order = [Verdict.NO, Verdict.MEMORY, Verdict.PARTLY, Verdict.GPU]
    options = LoadOptions(n_ctx=n_ctx)
    less, more = (judged(shape, options, with_gpu(video * GIB, size * GIB)) for size in (memory, memory + 4))
    assert order.index(less.verdict) <= order.index(more.verdict)
    assert less.max_ctx <= more.max_ctx
    wider = judged(shape, options, with_gpu((video + 4) * GIB, memory * GIB))
    assert order.index(less.verdict) <= order.index(wider.verdict)


def test_layers_that_were_chosen_stay_so(eight: ModelShape) -> None:
    chosen = LoadOptions(n_ctx=8192, n_gpu_layers=4)
    assert best(eight, chosen, with_gpu(24 * GIB)).n_gpu_layers == 4
    assert judged(eight, chosen, with_gpu(24 * GIB)).plan.n_gpu_layers == 4


# --- guesses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama 1B", "llama 8B", "llama 70B", "gemma2 9B", "gemma3 27B", "qwen3 30B-A3B"])
def test_a_guess_comes_near(name: str, tmp_path: Path) -> None:
    architecture, size = LARGE[name]
    exact = shape_of(check_loadable(write(tmp_path / "m.gguf", architecture, replace(size, kind=12))))
    guessed = guess(exact.n_params, architecture=exact.architecture, name=name, context_length=32768)
    plans = [estimate(shape, OPEN) for shape in (guessed, exact)]
    assert 0.75 < plans[0].total_bytes / plans[1].total_bytes < 1.3
    assert 0.7 < guessed.active_bytes / exact.active_bytes < 1.4


@pytest.mark.parametrize(
    ("name", "architecture", "share"),
    [
        ("Qwen3-30B-A3B-Instruct-GGUF", "qwen3moe", 0.1),
        ("Mixtral-8x7B-v0.1-GGUF", "llama", 0.28),
        ("gpt-oss-20b-GGUF", "gpt-oss", 0.12),  # 3.6 billion
        ("gpt-oss 20B", "", 0.12),
        ("Llama-3.1-8B-Instruct", "llama", 1.0),
        ("Alpha3b", "llama", 1.0),
    ],
)
def test_active_parameters_are_told_by_the_name(name: str, architecture: str, share: float) -> None:
    assert active_params(30_000_000_000, architecture, name) == pytest.approx(30_000_000_000 * share)
