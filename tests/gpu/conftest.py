"""The card that is tested. Nothing is collected unless INGLENOOK_GPU is set, so that other tests need none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import pytest

from app.engine.hardware import Device
from app.engine.protocol import Describe, Described
from tests.engine.worker.process import WorkerProcess

VARIABLE = "INGLENOOK_GPU"
SETTLE_S = 10.0

collect_ignore_glob = [] if os.environ.get(VARIABLE) else ["test_*.py"]

# Takes memory of a device through the device's own backend, says how much it got, and holds it until its input ends.
BALLAST = """
import ctypes, sys
from app.engine.worker import devices, llama
llama.start_backends()
handle = next(handle for handle in devices.handles() if handle.name == sys.argv[1])
kind = llama.ggml("ggml_backend_dev_buffer_type", ctypes.c_void_p, ctypes.c_void_p)(handle.pointer)
take = llama.ggml("ggml_backend_buft_alloc_buffer", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
got, size = 0, int(sys.argv[2])
while size - got >= 1 << 20:
    part = min(size - got, 1 << 30)
    if not take(kind, part):
        break
    got += part
print(f"holding {got}", flush=True)
sys.stdin.read()
"""


def described(worker: WorkerProcess) -> dict[str, Device]:
    """The devices by name, with their memory at this moment."""
    event = worker.ask(Describe(id=worker.next_id()))
    assert isinstance(event, Described), event
    return {device.name: device for device in event.info.devices}


@pytest.fixture(scope="session")
def card() -> Device:
    """The first card of this computer, as it was before the tests."""
    worker = WorkerProcess()
    try:
        found = [device for device in described(worker).values() if device.kind in ("gpu", "igpu")]
    finally:
        worker.close()
    assert found, "no graphics card is seen: is this a build for it?"
    return found[0]


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    """A fresh worker process."""
    process = WorkerProcess()
    yield process
    process.close()


@contextmanager
def ballast(card: Device, size_bytes: int) -> Iterator[int]:
    """So much of the card's memory is taken by another process; how much it got."""
    process = subprocess.Popen(
        [sys.executable, "-c", BALLAST, card.name, str(size_bytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        line = cast(BinaryIO, process.stdout).readline().decode()
        assert line.startswith("holding "), line
        yield int(line.split()[1])
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            cast(BinaryIO, stream).close()
