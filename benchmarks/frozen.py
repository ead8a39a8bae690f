"""The frozen folder against the checkout: how soon its window is painted, and how fast its engine writes.

`make package` makes the folder. What is compared stands in the same commit only if it was made from this one.
"""

from __future__ import annotations

import os
from pathlib import Path

from app.engine.values import LoadOptions
from benchmarks.figures import Figure, ratio_figure, run_pairs
from benchmarks.processes import BUILD, BenchmarkError
from benchmarks.speaking import Speaker
from benchmarks.speed import TOKENS, engine_speed, shared_seed
from benchmarks.window import SOURCE, start_figures

OPTIONS = LoadOptions(n_ctx=2048)


def frozen_start(pairs: int) -> list[Figure]:
    """Process start to first paint / the same from source, and process start to ready to type."""
    return start_figures("frozen_start", "frozen_ready_ms", [str(_program())], SOURCE, pairs, at_most=1.3)


def frozen_decode(pairs: int) -> list[Figure]:
    """Decode speed of the frozen engine / that of the native build, one after the other with the same question."""
    with Speaker(OPTIONS, [str(_program()), "--engine-worker"]) as frozen, Speaker(OPTIONS) as native:
        seed = shared_seed(lambda seed: engine_speed(frozen, seed), lambda seed: engine_speed(native, seed))
        paired = run_pairs(lambda: engine_speed(frozen, seed), lambda: engine_speed(native, seed), pairs)
        more = f"{TOKENS} tokens each, {frozen.model.n_threads} threads, SmolLM2-135M Q4_1"
    return [ratio_figure("frozen_decode", paired, "tokens/s", at_least=0.97, more=more)]


def _program() -> Path:
    name = "inglenook.exe" if os.name == "nt" else "inglenook"
    program = BUILD / "package" / "frozen" / "inglenook" / name
    if not program.is_file():
        raise BenchmarkError(f"there is no {program.relative_to(BUILD.parent)}: `make package` makes it")
    return program
