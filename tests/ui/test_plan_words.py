"""What is said about load plans, without a window."""

from __future__ import annotations

import msgspec

from app.chat.messages import ReplyFacts
from app.engine.hardware import DeviceShare, Fit, Machine, MemoryPlan, Verdict
from app.engine.values import LoadOptions, LoadPlan
from app.ui.components.plan import words
from app.ui.components.transcript.words import device_lines
from tests.support.fake_plans import CARD, OTHER

GB = 10**9
MACHINE = Machine(memory_total_bytes=32 * GB, memory_free_bytes=20 * GB, devices=(CARD,))
SHARES = (
    DeviceShare(name="CPU", kind="cpu", weights_bytes=GB, kv_bytes=0, compute_bytes=GB // 10),
    DeviceShare(name="CUDA0", kind="gpu", weights_bytes=5 * GB, kv_bytes=GB, compute_bytes=GB // 2, layers=20),
)


def plan(machine: Machine = MACHINE, **changes: object) -> LoadPlan:
    memory = MemoryPlan(n_ctx=8192, n_gpu_layers=20, exact=False, shares=SHARES)
    fit = Fit(plan=memory, verdict=Verdict.PARTLY, max_ctx=8192, tokens_per_s=12.6, ttft_s=1.1, why="It needs 8 GB.")
    options = LoadOptions(n_ctx=8192, n_gpu_layers=20)
    made = LoadPlan(options=options, suggested=options, fit=fit, machine=machine, n_layer=32, n_ctx_train=40_960)
    return msgspec.structs.replace(made, **changes)


def test_pictures_hold_what_there_is_and_nothing_else() -> None:
    card, memory = words.pictures(MACHINE, SHARES)
    assert [(piece.name, piece.size_bytes) for piece in card.pieces] == [
        ("Other programs", 400_000_000), ("Weights", 5 * GB), ("Conversation (KV)", GB), ("Compute", GB // 2),
        ("Free", 1_100_000_000),
    ]  # fmt: skip
    assert [piece.name for piece in memory.pieces] == ["Other programs", "Weights", "Compute", "Free"]
    assert sum(piece.size_bytes for piece in memory.pieces) == memory.total_bytes
    assert (card.right, memory.right) == ("1.1 GB free", "19 GB free")


def test_what_is_loaded_is_told_apart_from_other_programs() -> None:
    full = msgspec.structs.replace(CARD, memory_free_bytes=GB)
    machine = msgspec.structs.replace(MACHINE, devices=(full,))
    card, memory = words.pictures(machine, held=SHARES)
    assert [(piece.name, piece.size_bytes) for piece in card.pieces] == [
        ("Other programs", 500_000_000), ("The loaded model", 6_500_000_000), ("Free", GB),
    ]  # fmt: skip
    assert memory.pieces[1].size_bytes == GB // 10  # weights of a mapped file count as free
    assert words.pictures(machine, held=SHARES, mapped=False)[1].pieces[1].size_bytes == GB + GB // 10


def test_too_much_is_told_as_what_is_missing() -> None:
    small = msgspec.structs.replace(CARD, memory_free_bytes=4 * GB)
    card = words.pictures(msgspec.structs.replace(MACHINE, devices=(small,)), SHARES)[0]
    assert card.right == "2.5 GB too little"
    assert [piece.name for piece in card.pieces][-1] == "Compute"


def test_verdicts() -> None:
    drawn = words.pictures(MACHINE, SHARES)
    assert words.headline(plan(), drawn) == "Fits, with a little room to spare."
    fit = msgspec.structs.replace(plan().fit, fits_now=False)
    assert words.headline(plan(fit=fit), drawn) == "Fits, but not while other programs hold so much."
    assert words.explanation(plan(fit=fit), drawn) == ("It needs 8 GB.", "")
    fit = msgspec.structs.replace(plan().fit, verdict=Verdict.NO)
    assert words.headline(plan(fit=fit), drawn) == "Too large for this computer."
    assert (
        words.headline(plan(fit=fit, suggested=LoadOptions()), drawn) == "Too large for this computer, set like this."
    )


def test_explanations() -> None:
    said, strong = words.explanation(plan(), [])
    assert said == (
        "20 of 33 layers go on the graphics card, the rest stay in memory. Expect about 13 tokens/s, and a first word "
        "1.1 seconds after three pages of text. Reckoned from this computer's speed."
    )
    assert strong == "about 13 tokens/s"
    unmeasured = msgspec.structs.replace(plan().fit, tokens_per_s=0.0, ttft_s=0.0)
    bare = msgspec.structs.replace(MACHINE, devices=())
    assert words.explanation(plan(bare, fit=unmeasured), []) == (
        "It lies in main memory and is computed by the processor.", ""
    )  # fmt: skip
    far = msgspec.structs.replace(MACHINE, devices=(OTHER,))
    all_of_it = LoadOptions(n_gpu_layers=-1)
    assert words.explanation(plan(far, fit=unmeasured, options=all_of_it), [])[0] == (
        "Everything goes on Radeon RX 7600."
    )
    experts = LoadOptions(n_gpu_layers=33, n_cpu_experts=12)
    assert words.explanation(plan(fit=unmeasured, options=experts), [])[0] == (
        "All layers go on the graphics card. The experts of 12 layers stay in memory."
    )


def test_layers_of_devices() -> None:
    both = msgspec.structs.replace(MACHINE, devices=(CARD, OTHER))
    options = LoadOptions(n_gpu_layers=7, devices=("RPC0",), layers_on=(7,))
    assert words.layers_on(plan(both, options=options)) == {"CUDA0": 0, "RPC0": 7}
    assert words.layers_on(plan(both)) == {"CUDA0": 20, "RPC0": 0}  # as the shares tell
    assert words.layers_on(plan()) == {"CUDA0": 20}
    assert words.layer_fields(plan(both), {"CUDA0": 0, "RPC0": 0}) == {
        "n_gpu_layers": 0, "devices": (), "layers_on": ()
    }  # fmt: skip


def test_context_stops() -> None:
    stops = words.context_stops(10_000, 8192, 5000)
    assert stops == [512, 1024, 1536, 2048, 3072, 4096, 5000, 6144, 8192, 10_000]
    assert stops[words.nearest(stops, 4900)] == 5000
    assert words.nearest(stops, 10**6) == len(stops) - 1
    assert words.context_words(340, 8192) == "About 1 page; 8,192 suggested"


def test_what_a_reply_was_computed_on() -> None:
    assert device_lines(ReplyFacts(devices=SHARES)) == ["Memory: 1.1 GB", "CUDA0: 20 layers, 6.5 GB"]
    assert device_lines(ReplyFacts()) == device_lines(None) == []
