"""Gauging a device through ggml's own functions: on the processor's handle here, and on another computer's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from app.engine.hardware import DeviceSpeed
from app.engine.worker import devices, llama, throughput
from app.engine.worker.devices import Handle
from tests.support.rpc import rpc_worker

NONE = DeviceSpeed(name="CPU", bandwidth_bytes_per_s=0.0, compute_flops=0.0)

# libggml ends the process when a connection breaks, so it is another one than that of the tests.
FAR = """
import json, sys
from app.engine.worker import devices, llama, throughput
llama.start_backends()
devices.add(sys.argv[1:])
throughput.MOST_ROWS = throughput.LEAST_ROWS
far = next(handle for handle in devices.handles(sys.argv[1:]) if handle.endpoint)
for _ in range(2):
    found = throughput.of(far)
    print(json.dumps([found.name, found.bandwidth_bytes_per_s, found.compute_flops]))
"""


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Handle:
    """The processor, with a matrix as small as possible."""
    llama.start_backends()
    monkeypatch.setattr(throughput, "MOST_ROWS", throughput.LEAST_ROWS)
    return next(handle for handle in devices.handles() if handle.name == devices.CPU)


def test_it_reads_and_computes(cpu: Handle) -> None:
    found = throughput.of(cpu)
    assert 1e8 < found.bandwidth_bytes_per_s < 1e12
    assert 1e9 < found.compute_flops < 1e14
    assert found.cache_bytes_per_s == found.bandwidth_bytes_per_s


def test_a_quick_device_multiplies_more_at_a_time(cpu: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "QUICK_S", 100.0)
    monkeypatch.setattr(throughput, "SLOW", 0.0)
    monkeypatch.setattr(throughput, "COLUMNS", 16)
    asked: list[int] = []
    seconds = throughput._Products.seconds

    def noted(self: throughput._Products, products: list[int]) -> float:
        asked.append(len(products))
        return seconds(self, products)

    monkeypatch.setattr(throughput._Products, "seconds", noted)
    found = throughput.of(cpu)
    assert asked == [1, throughput.CHAIN, 1]
    assert 1e8 < found.bandwidth_bytes_per_s < 1e12
    assert 1e9 < found.compute_flops < 1e14


def test_another_computer_is_waited_for() -> None:
    with rpc_worker() as far:
        ended = subprocess.run(
            [sys.executable, "-c", FAR, far.endpoint], capture_output=True, text=True, timeout=60, check=True
        )
    for name, bandwidth, flops in map(json.loads, ended.stdout.splitlines()):
        assert name == "RPC0"
        assert 1e8 < bandwidth < 1e12
        assert 1e9 < flops < 1e14


def test_a_quarter_of_the_free_memory_is_taken_at_most(cpu: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert throughput._rows(cpu) == throughput.LEAST_ROWS
    monkeypatch.setattr(throughput, "PART_OF_FREE", 1 << 40)
    assert throughput.of(cpu) == NONE


def test_memory_that_is_not_there_is_not_measured(cpu: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "_rows", lambda handle: 1 << 36)
    assert throughput.of(cpu) == NONE


@pytest.mark.parametrize(
    "missing", ["ggml_free", "ggml_view_2d", "ggml_backend_buffer_free", "ggml_backend_tensor_get"]
)
def test_a_libggml_without_a_function_is_not_measured(
    cpu: Handle, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    need = throughput.need

    def without(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any]:
        if name == missing:
            raise LookupError(name)
        return need(name, restype, *argtypes)

    monkeypatch.setattr(throughput, "need", without)
    assert throughput.of(cpu) == NONE


def test_everything_is_given_back(cpu: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    need = throughput.need
    open_now: dict[str, int] = {}
    kinds = {
        "ggml_init": ("context", 1), "ggml_free": ("context", -1),
        "ggml_backend_dev_init": ("backend", 1), "ggml_backend_free": ("backend", -1),
        "ggml_backend_alloc_ctx_tensors": ("buffer", 1), "ggml_backend_buffer_free": ("buffer", -1),
    }  # fmt: skip
    computed: list[int] = []

    def counted(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any]:
        function = need(name, restype, *argtypes)

        def call(*arguments: Any) -> Any:
            if name in kinds:
                kind, change = kinds[name]
                open_now[kind] = open_now.get(kind, 0) + change
            if name == "ggml_backend_graph_compute":
                computed.append(1)
                return 1  # GGML_STATUS_FAILED is -1: anything but 0 is no result
            return function(*arguments)

        return call

    monkeypatch.setattr(throughput, "need", counted)
    assert throughput.of(cpu) == NONE
    assert computed
    assert open_now == {"context": 0, "backend": 0, "buffer": 0}
