"""The window as a whole process: how soon it is painted and ready to type, and what it weighs when idle."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.figures import Figure, ratio_figure, run_pairs
from benchmarks.processes import ROOT, BenchmarkError, clean_environment, display, end, process_tree, pss_mb

START_LIMIT_S = 60.0
SETTLE_S = 3.0
LOOK_S = 0.01
WEIGHINGS = 5
SOURCE = [sys.executable, "-m", "app"]


def window_start(pairs: int) -> list[Figure]:
    """Process start to first paint / the same of an empty QMainWindow, and process start to ready to type."""
    empty = [sys.executable, "-m", "benchmarks.peers.empty_window"]
    return start_figures("window_start_ratio", "window_ready_ms", SOURCE, empty, pairs, at_most=2.5)


def start_figures(
    ratio: str, ready_ms: str, command: list[str], other: list[str], pairs: int, *, at_most: float
) -> list[Figure]:
    """Process start to first paint of `command`'s window / the same of `other`'s, and to ready to type, in figures of
    these names."""
    ready: list[float] = []
    with display() as (screen, screen_name), home_of_its_own() as home:
        environment = at(screen, home)

        def window() -> float:
            marks = started(command, environment, "ready")
            ready.append(marks["ready"])
            return marks["first_paint"]

        def compared() -> float:
            return started(other, environment, "first_paint")["first_paint"]

        window()  # makes the database, and fills the file cache
        compared()
        ready.clear()
        paired = run_pairs(window, compared, pairs)
    note = f"process start to ready to type, median of {len(ready)}, worst {max(ready) * 1e3:.0f}; {screen_name}"
    return [
        ratio_figure(ratio, paired, "s", at_most=at_most, more=screen_name),
        Figure(ready_ms, statistics.median(ready) * 1e3, "ms", note),
    ]


def idle_memory_mb(pairs: int) -> list[Figure]:
    """Summed PSS of the process tree of the idle window, without a model: on a data folder in use, and on new ones.

    Pages of libraries that other processes use at the same time are counted in part: run nothing else with Qt.
    """
    used: list[float] = []
    new: list[float] = []
    processes = 0
    with display() as (screen, screen_name), home_of_its_own() as old:
        started(SOURCE, at(screen, old), "ready")
        for _ in range(WEIGHINGS):
            for weights, place in ((used, contextlib.nullcontext(old)), (new, home_of_its_own())):
                with place as home, _running(SOURCE, at(screen, home)) as (process, marks):
                    _wait_for(process, marks, "ready")
                    time.sleep(SETTLE_S)  # what is done after the first paint belongs to the weight
                    processes = max(processes, len(process_tree(process.pid)))
                    weights.append(pss_mb(process.pid))
    return [
        Figure(
            name,
            statistics.median(weights),
            "MB",
            f"{place}; median of {len(weights)}, worst {max(weights):.1f}; processes: {processes}; {screen_name}",
            at_most=140.0,
        )
        for name, place, weights in (
            ("idle_memory_mb", "data folder in use", used),
            ("idle_memory_new_mb", "new data folder", new),
        )
    ]


def at(screen: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment of a window on this screen, with all state in `home`."""
    return {**screen, "INGLENOOK_HOME": str(home)}


@contextlib.contextmanager
def home_of_its_own() -> Iterator[Path]:
    """A data folder whose settings do not load a model by themselves."""
    with tempfile.TemporaryDirectory(prefix="inglenook-bench-") as folder:
        home = Path(folder)
        (home / "settings.json").write_text(json.dumps({"engine": {"auto_load": False}}), encoding="utf-8")
        yield home


def started(command: list[str], environment: Mapping[str, str], awaited: str) -> dict[str, float]:
    """Seconds from process start to each mark, once `awaited` is there; the process is then ended."""
    begun = time.time_ns()
    with _running(command, environment) as (process, marks):
        return {name: (at - begun) / 1e9 for name, at in _wait_for(process, marks, awaited).items()}


@contextlib.contextmanager
def _running(command: list[str], environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The process, and the file it writes its marks to."""
    with tempfile.TemporaryDirectory(prefix="inglenook-marks-") as folder:
        marks = Path(folder) / "marks"
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**clean_environment(), **environment, "INGLENOOK_MARKS": str(marks)},
        )
        try:
            yield process, marks
        finally:
            end(process, ask=True)


def _wait_for(process: subprocess.Popen[bytes], marks: Path, awaited: str) -> dict[str, int]:
    """The marks written so far (wall clock, ns), as soon as `awaited` is among them."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        # read after looking whether it lives: its last words may come just before its end
        ended = process.poll() is not None
        found = _read(marks)
        if awaited in found:
            return found
        if ended:
            raise BenchmarkError(f"the process ended with {process.returncode} before '{awaited}'")
        if time.monotonic() > deadline:
            raise BenchmarkError(f"no '{awaited}' within {START_LIMIT_S:.0f} s")
        time.sleep(LOOK_S)


def _read(marks: Path) -> dict[str, int]:
    try:
        lines = marks.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return {}
    return {line.split()[0]: int(line.split()[1]) for line in lines if line.endswith("\n")}
