"""What a card was measured to do, and whether a large model is as fast as is foretold from that."""

from __future__ import annotations

import time
from pathlib import Path

from app.engine.command import worker_command
from app.engine.fit import estimate
from app.engine.gguf import check_loadable
from app.engine.hardware import Device
from app.engine.probe import probing
from app.engine.protocol import Gauge, Gauged
from app.engine.shape import shape_of
from app.engine.speed import tokens_per_s
from app.engine.values import GenerateRequest, LoadOptions, PromptMessage, Sampling
from app.services.machine import machine_of
from app.services.measuring import measure
from tests.engine.worker.process import WorkerProcess
from tests.gpu.conftest import described
from tests.support.architectures import Q4_K, Shape, write

MIB = 1024 * 1024
LARGE = Shape(32, 4096, 32, 8, 128, 14336, 4096, kind=Q4_K)
"""As large as seven billion parameters are, 4 GB; the vocabulary is small, because drawing from it takes time."""

EVENLY = Sampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, seed=1, max_tokens=100)
"""Of weights that are all zero every token is as likely as any."""

TIMES = 2.0  # as far apart foretold and written may be


def test_the_card_is_gauged_and_gets_its_memory_back(worker: WorkerProcess, card: Device) -> None:
    found, free = [], []
    for _ in range(2):
        event = worker.ask(Gauge(id=worker.next_id(), device=card.name))
        assert isinstance(event, Gauged), event
        found.append(event.speed)
        free.append(described(worker)[card.name].memory_free_bytes)
    print(found)
    for speed in found:
        assert speed.bandwidth_bytes_per_s > 20e9
        assert speed.compute_flops > 2e11
    assert abs(free[0] - free[1]) < 64 * MIB  # the first time, the driver keeps something for itself


def test_a_large_model_is_as_fast_as_foretold(card: Device, starter_model: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "large.gguf", "llama", LARGE)
    with probing(worker_command()) as probe:
        probe.start()
        begin = time.perf_counter()
        measured = measure(lambda: probe, starter_model)
        took_s = time.perf_counter() - begin
        assert measured is not None
        machine = machine_of(measured)
        print(f"{took_s:.1f} s", measured.speeds, measured.n_threads)
        shape, options = shape_of(check_loadable(path)), LoadOptions(n_ctx=256, devices=(card.name,))
        foretold = tokens_per_s(shape, options, machine, estimate(shape, options, [card]))
        probe.load(path, options)
        request = GenerateRequest(
            sequence="large", messages=[PromptMessage(role="user", content="Hello")], sampling=EVENLY, guess=False
        )
        written = max(probe.generate(request).tokens_per_s for _ in range(3))
    print(f"foretold {foretold:.0f}, written {written:.0f} tokens a second")
    assert written / TIMES < foretold < written * TIMES
    assert took_s < 15
