"""Knowing beforehand: from a file on the Hub to the exact answer whether it fits.

The file is a model of 27 billion parameters as the Hub has them, header of 11 MB, its tensors a hole. Hub and CDN are a
process of their own on loopback. Every run begins without an engine process.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from app.engine.command import worker_command
from app.hub.client import prepare
from app.hub.values import RemoteFile, Variant
from app.privacy.gate import Gate
from app.privacy.policy import Policy
from app.services.changes import Publisher
from app.services.fitting import Fitting
from app.services.jobs import Jobs
from benchmarks.figures import Figure, median_interval
from benchmarks.peers.file_server import COMMIT
from benchmarks.processes import BenchmarkError, Peer
from tests.support.architectures import Shape, write

RUNS = 15
MOST_S = 1.0
MOST_MB = 16.0
SHAPE = Shape(62, 5376, 32, 16, 128, 21504, 262144, window=1024, kind=12)
MERGES = 240_000
WAIT_S = 60.0


def remote_fit(pairs: int) -> list[Figure]:
    """Seconds from the question to the exact answer, the server's time included, and what was fetched for it."""
    with tempfile.TemporaryDirectory(prefix="inglenook-bench-") as name:
        folder = Path(name)
        file = write(folder / "model.gguf", "gemma3", SHAPE, n_merges=MERGES)
        with Peer("benchmarks.peers.file_server", str(file)) as server:
            hub = str(server.read()["hub"])
            gate = Gate(lambda: Policy(online=True, hub=hub))
            prepare(gate)
            try:
                found = [_ask(gate, hub, folder, file.stat().st_size) for _ in range(RUNS)]
            finally:
                gate.close()
    times = median_interval([took for took, _ in found])
    fetched = max(size for _, size in found) / 1e6
    note = f"95 % [{times.low:.3f}, {times.high:.3f}], {RUNS} runs, each starts a process; server included"
    return [
        Figure("remote_fit_s", times.value, "s", note, at_most=MOST_S, low=times.low, high=times.high),
        Figure("remote_fit_mb", fetched, "MB", "fetched for one answer", at_most=MOST_MB),
    ]


def _ask(gate: Gate, hub: str, folder: Path, size: int) -> tuple[float, int]:
    jobs = Jobs()
    fitting = Fitting(worker_command(), folder, gate, lambda: hub, str, lambda: None, lambda: False, Publisher(), jobs)
    files = (RemoteFile(path="model.gguf", size_bytes=size, sha256="0" * 64),)
    variant = Variant(label="Q4_K_M", name="Q4_K_M", files=files, bits_per_weight=4.5, quality="")
    gate.ledger.take()
    try:
        began = time.perf_counter()
        fit = fitting.exact("acme/bench", COMMIT, variant, n_ctx=8192).result(WAIT_S)
        took = time.perf_counter() - began
    finally:
        fitting.close()
        jobs.close()
    if not fit.plan.exact or fit.plan.weights_bytes < 15e9:
        raise BenchmarkError(f"a wrong answer: {fit}")
    if left := [one.name for one in threading.enumerate() if one.name.startswith(("engine", "inglenook-fitting"))]:
        raise BenchmarkError(f"left behind: {left}")
    return took, sum(entry.received_bytes for entry in gate.ledger.take())
