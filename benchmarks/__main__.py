"""Takes the measurements: `python -m benchmarks [--only NAME] [--pairs N]`. Prints a table, writes build/bench.json."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.base.errors import InglenookError
from benchmarks.figures import Figure
from benchmarks.processes import BUILD, ROOT, BenchmarkError
from benchmarks.report import merge, table

PAIRS = 24


@dataclass(frozen=True)
class Benchmark:
    """One function `function(pairs) -> list[Figure]` of a module of this package, and the figures it gives."""

    module: str
    function: str
    figures: tuple[str, ...]

    def run(self, pairs: int) -> list[Figure]:
        """Takes the figures. The module is imported only now: each needs another part of the application."""
        function: Callable[[int], list[Figure]] = getattr(
            importlib.import_module(f"benchmarks.{self.module}"), self.function
        )
        return function(pairs)


BENCHMARKS = (
    Benchmark("speed", "decode_vs_bare", ("decode_vs_bare",)),
    Benchmark("speed", "decode_vs_chat", ("decode_vs_chat",)),
    Benchmark("speed", "decode_vs_server", ("decode_vs_server",)),
    Benchmark("speed", "prompt_vs_bare", ("prompt_vs_bare",)),
    Benchmark("guessing", "speculation", ("speculation_repeat", "speculation_free")),
    Benchmark("turns", "ttft_turn20_over_turn1", ("ttft_turn20_over_turn1",)),
    Benchmark("reopening", "reopen", ("reopen", "snapshot_pause_ms")),
    Benchmark("reopening", "switch", ("switch",)),
    Benchmark("lasting", "turns_100", ("turns_100",)),
    Benchmark("lasting", "overflow", ("overflow",)),
    Benchmark("lasting", "decode_deep", ("decode_deep",)),
    Benchmark("parallel", "parallel_4", ("parallel_4",)),
    Benchmark("parallel", "parallel_8", ("parallel_8",)),
    Benchmark("parallel", "parallel_gap", ("parallel_gap",)),
    Benchmark("stopping", "stop_decoding_ms", ("stop_decoding_ms",)),
    Benchmark("stopping", "stop_prompt_ms", ("stop_prompt_ms",)),
    Benchmark("window", "window_start", ("window_start_ratio", "window_ready_ms")),
    Benchmark("window", "idle_memory_mb", ("idle_memory_mb", "idle_memory_new_mb")),
    Benchmark("conversation", "open_10k", ("open_10k_ms", "open_10k_mb")),
    Benchmark("conversation", "scroll", ("scroll_p99_ms",)),
    Benchmark("downloads", "download_vs_curl", ("download_vs_curl",)),
    Benchmark("downloads", "download_vs_curl_pipe", ("download_vs_curl_pipe",)),
    Benchmark("downloads", "download_ranges", ("download_ranges",)),
    Benchmark("downloads", "download_cpu", ("download_cpu",)),
    Benchmark("fit", "remote_fit", ("remote_fit_s", "remote_fit_mb")),
    Benchmark("hardware", "matrix", ("hardware_matrix", "hardware_planned")),
    Benchmark("hardware", "heal", ("heal_s",)),
    Benchmark("hardware", "unload", ("unload_left_bytes",)),
    Benchmark("browsing", "search_first", ("search_first_ms",)),
    Benchmark("browsing", "search_scroll", ("search_scroll_pause_ms",)),
    Benchmark("conversation", "stream", ("stream_cpu_share", "stream_longest_gap_ms")),
)
# Of the frozen folder, which `make package` makes and few have: taken only when asked for by name.
APART = (
    Benchmark("frozen", "frozen_start", ("frozen_start", "frozen_ready_ms")),
    Benchmark("frozen", "frozen_decode", ("frozen_decode",)),
)


def chosen(only: str | None) -> list[Benchmark]:
    """All benchmarks, or the one that gives the figure `only` or is called so. Empty for an unknown name."""
    if only is None:
        return list(BENCHMARKS)
    return [one for one in (*BENCHMARKS, *APART) if only == one.function or only in one.figures]


def main(arguments: list[str] | None = None) -> int:
    """0 when all measurements were taken, whether or not they meet their targets (the table tells); else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="take the figure (or run the function) of this name only")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"alternating pairs of a comparison (default {PAIRS})")
    options = parser.parse_args(arguments)
    benchmarks = chosen(options.only)
    if not benchmarks or options.pairs < 1:
        names = ", ".join(name for one in (*BENCHMARKS, *APART) for name in one.figures)
        parser.error(f"--pairs is at least 1, and --only one of: {names}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `with` ends the processes it started
    figures: list[Figure] = []
    failed = False
    for one in benchmarks:
        begun = time.monotonic()
        print(f"{one.function} ...", end=" ", file=sys.stderr, flush=True)
        try:
            found = one.run(options.pairs)
        except (BenchmarkError, InglenookError, ImportError, OSError) as error:
            print(f"could not be taken: {error}", file=sys.stderr)
            failed = True
            continue
        print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
        figures += found
        merge(BUILD / "bench.json", found)
    print(table(figures))
    print(f"\nwritten to {(BUILD / 'bench.json').relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
