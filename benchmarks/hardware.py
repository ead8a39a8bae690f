"""Load plans on devices of every size, each really loaded; how fast a failed load heals; what unloading gives back.

The matrix is that of tests/support/hardware_matrix.py: its devices are workers on loopback that can take no more memory
than their size (RLIMIT_AS). Healing and unloading are those of the whole application, with the starter model.
"""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.base.paths import find_places
from app.bootstrap import Application
from app.services.changes import EngineChanged, EngineState
from app.services.device_memory import VARIABLE
from benchmarks.figures import Figure, median_interval
from benchmarks.processes import BUILD, BenchmarkError, pss_mb
from tests.support.application import Recorder, load, running_real
from tests.support.hardware_matrix import MIB, OWN_BYTES, answers, cells
from tests.support.rpc import rpc_worker

HEALS = 7
UNLOADS = 5
REAL_MIB = 150
"""What the worker really has, of the gibibyte it is said to have: all layers and their caches need twice as much."""

MOST_HEAL_S = 5.0
MOST_LEFT_BYTES = 5e6
ENDED = (EngineState.READY, EngineState.FAILED)


def matrix(pairs: int) -> list[Figure]:
    """Plans that were right, of all; and devices that took what was planned within 3 % or 1 MiB, of those loads."""
    asked = cells()
    with tempfile.TemporaryDirectory(prefix="inglenook-bench-") as folder:
        found = list(answers(Path(folder), asked))
    wrong = [
        f"{answer.cell}: {answer.layers} of {answer.of} layers, {answer.wrong}" for answer in found if answer.wrong
    ]
    log = BUILD / "bench-logs" / "hardware_matrix.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("\n".join(wrong) + "\n")
    whole = sum(answer.layers == answer.of for answer in found)
    none = sum(not answer.layers for answer in found)
    note = f"{len(found)} cells: {whole} all on the device, {none} none, {len(found) - whole - none} in part"
    loads = [answer for answer in found if answer.loaded]
    near = sum(answer.off <= 1 for answer in loads)
    worst = max(answer.off for answer in loads)
    return [
        Figure("hardware_matrix", 100 * (len(found) - len(wrong)) / len(found), "%", note, at_least=100.0),
        Figure(
            "hardware_planned",
            100 * near / len(loads),
            "%",
            f"{len(loads)} loads; the worst device is off by {worst:.2f} of what is allowed",
            at_least=100.0,
        ),
    ]


def heal(pairs: int) -> list[Figure]:
    """Seconds from a load that failed for memory to the model loaded with less."""
    took, steps = [], set()
    with rpc_worker(memory_bytes=REAL_MIB * MIB + OWN_BYTES) as worker, _said("RPC0=1G/1G"):
        for _ in range(HEALS):
            with _application() as (app, seen):
                app.settings.change("engine.workers", [worker.endpoint])
                since = len(seen.changes)
                app.loading.load(app.library.list()[0].id)
                seen.wait_for(EngineChanged, lambda c: bool(c.stepped_down), since)
                failed = time.perf_counter()
                ended = seen.wait_for(EngineChanged, lambda c: c.state in ENDED, since)
                took.append(time.perf_counter() - failed)
                if ended.state is not EngineState.READY:
                    raise BenchmarkError(f"it did not heal: {ended.sentence}")
                steps |= {change.stepped_down for change in seen.of(EngineChanged) if change.stepped_down}
    times = median_interval(took)
    note = (
        f"95 % [{times.low:.2f}, {times.high:.2f}], the slowest of {HEALS} {max(took):.2f}; "
        f"{len(steps)} steps, the last: {ended.stepped_down}"
    )
    return [Figure("heal_s", times.value, "s", note, at_most=MOST_HEAL_S, low=times.low, high=times.high)]


def unload(pairs: int) -> list[Figure]:
    """Bytes that this program and its processes have more after a model was loaded and unloaded, the most of some."""
    left, held = [], []
    with _application() as (app, seen):
        for _ in range(UNLOADS + 1):
            before = _memory_bytes()
            ended = load(app, seen)
            if ended.state is not EngineState.READY:
                raise BenchmarkError(f"it could not be loaded: {ended.sentence}")
            held.append(_memory_bytes() - before)
            since = len(seen.changes)
            app.loading.unload()
            seen.wait_for(EngineChanged, lambda c: c.state is EngineState.OFF, since)
            left.append(_memory_bytes() - before)
    most = max(left[1:])  # what is imported for the first load is not the model's
    note = f"of {min(held) / 1e6:.0f} MB and more; the first time, with what is imported for it, {left[0] / 1e6:.1f} MB"
    return [Figure("unload_left_bytes", float(max(most, 0)), "bytes", note, at_most=MOST_LEFT_BYTES)]


@contextlib.contextmanager
def _application() -> Iterator[tuple[Application, Recorder]]:
    """The whole application on the real engine, in a folder of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="inglenook-bench-") as folder,
        running_real(places=find_places(Path(folder))) as both,
    ):
        yield both


@contextlib.contextmanager
def _said(report: str) -> Iterator[None]:
    """Devices are believed to have so much memory."""
    os.environ[VARIABLE] = report
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def _memory_bytes() -> int:
    gc.collect()
    return round(pss_mb(os.getpid()) * 1e6)
