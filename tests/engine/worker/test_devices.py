"""Further devices: RPC servers on loopback, which take layers as graphics cards do. What the loader says is believed.

Each load is held against its plan, device by device, and its text against the processor's.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.engine.command import rpc_server_command
from app.engine.hardware import DeviceShare
from app.engine.protocol import Code, Describe, Described, Loaded, Plan, Planned
from app.engine.values import LoadOptions
from tests.engine.worker.process import WorkerProcess, failed, user
from tests.support.architectures import Shape, write
from tests.support.rpc import RpcWorker, rpc_worker

MIB = 1024 * 1024
QUESTION = [user("Why is the sky blue?")]


@pytest.fixture(scope="module")
def remotes() -> Iterator[tuple[RpcWorker, RpcWorker]]:
    """Two devices: RPC0 and RPC1, where both are added in this order."""
    with rpc_worker() as one, rpc_worker() as other:
        yield one, other


@pytest.fixture(scope="module")
def client(remotes: tuple[RpcWorker, RpcWorker]) -> Iterator[WorkerProcess]:
    """A worker that knows both devices."""
    process = WorkerProcess()
    assert isinstance(process.ask(Describe(id=10**6, rpc=endpoints(remotes))), Described)
    yield process
    process.close()


def endpoints(workers: tuple[RpcWorker, ...]) -> tuple[str, ...]:
    return tuple(worker.endpoint for worker in workers)


def planned(client: WorkerProcess, path: Path, **options: Any) -> tuple[DeviceShare, ...]:
    """The shares of the exact plan."""
    event = client.ask(Plan(id=client.next_id(), path=str(path), options=LoadOptions(**{"n_threads": 1, **options})))
    assert isinstance(event, Planned), event
    return event.plan.shares


def check_plan(plan: tuple[DeviceShare, ...], real: tuple[DeviceShare, ...]) -> None:
    """Each device takes what was planned, within 3 % or 1 MiB."""
    assert [(share.name, share.kind, share.layers) for share in plan] == [
        (share.name, share.kind, share.layers) for share in real
    ]
    for guess, taken in zip(plan, real, strict=True):
        assert abs(guess.total_bytes - taken.total_bytes) <= max(0.03 * taken.total_bytes, MIB), (guess, taken)


def layers(shares: tuple[DeviceShare, ...]) -> dict[str, int]:
    return {share.name: share.layers for share in shares}


def test_devices_of_other_computers_are_told_only_when_they_are_named(
    client: WorkerProcess, remotes: tuple[RpcWorker, RpcWorker]
) -> None:
    here = client.ask(Describe(id=client.next_id())).info
    assert {device.host for device in here.devices} == {""}
    assert all(device.backend for device in here.devices)
    there = client.ask(Describe(id=client.next_id(), rpc=endpoints(remotes))).info
    assert there.supports_gpu_offload
    far = [device for device in there.devices if device.host]
    assert [(device.name, device.kind, device.backend, device.host) for device in far] == [
        ("RPC0", "gpu", "RPC", "127.0.0.1"),
        ("RPC1", "gpu", "RPC", "127.0.0.1"),
    ]
    assert all(device.memory_total_bytes > 0 for device in far)


PLACES: list[tuple[dict[str, Any], tuple[int, int, int]]] = [
    # options, and the layers on CPU, RPC0 and RPC1; the output is one of nine
    ({"n_gpu_layers": 0}, (9, 0, 0)),
    ({"n_gpu_layers": 4, "devices": ("RPC1",)}, (5, 0, 4)),
    ({"devices": ("RPC0",)}, (0, 9, 0)),
    ({"devices": ("RPC1", "RPC0"), "layers_on": (5, 4)}, (0, 4, 5)),
    ({"devices": ("RPC0", "RPC1"), "layers_on": (1, 3), "offload_kv": False}, (5, 1, 3)),
    ({"devices": ("RPC0", "RPC1"), "layers_on": (0, 4), "use_mmap": False}, (5, 0, 4)),
]


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "qwen3moe", "mamba"])
def test_each_device_takes_what_was_planned(
    client: WorkerProcess, remotes: tuple[RpcWorker, RpcWorker], architecture: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "m.gguf", architecture, Shape(n_layer=8, n_embd=512, n_ff=2048, n_vocab=8192))
    for options, expected in PLACES:
        every = {"n_ctx": 1024, "rpc": endpoints(remotes), **options}
        event = client.load(path, **every)
        assert isinstance(event, Loaded), event
        shares = event.model.shares
        assert layers(shares) == {
            name: count for name, count in zip(("CPU", "RPC0", "RPC1"), expected, strict=True) if count or name == "CPU"
        }
        assert event.model.n_gpu_layers == sum(expected[1:])
        assert all((share.kv_bytes > 0) == options.get("offload_kv", True) for share in shares[1:])
        check_plan(planned(client, path, **every), shares)


def test_layers_for_guessing_ahead_do_not_count(
    client: WorkerProcess, remotes: tuple[RpcWorker, RpcWorker], tmp_path: Path
) -> None:
    path = write(tmp_path / "m.gguf", "qwen3moe", Shape(n_layer=6), n_ahead=2)
    for options, expected in (
        ({"n_gpu_layers": 3, "devices": ("RPC0",)}, {"CPU": 4, "RPC0": 3}),
        ({"n_gpu_layers": 1, "devices": ("RPC0",)}, {"CPU": 6, "RPC0": 1}),
        ({"devices": ("RPC0",)}, {"CPU": 0, "RPC0": 7}),
        ({"devices": ("RPC1", "RPC0"), "layers_on": (4, 3)}, {"CPU": 0, "RPC0": 3, "RPC1": 4}),
        ({"devices": ("RPC0", "RPC1"), "layers_on": (4, 0)}, {"CPU": 3, "RPC0": 4}),
    ):
        every: dict[str, Any] = {"n_ctx": 512, "rpc": endpoints(remotes), **options}
        event = client.load(path, **every)
        assert isinstance(event, Loaded), event
        assert layers(event.model.shares) == expected
        check_plan(planned(client, path, **every), event.model.shares)


def test_the_text_is_the_same_wherever_it_is_computed(
    client: WorkerProcess, remotes: tuple[RpcWorker, RpcWorker], tiny: Callable[[str], Path]
) -> None:
    texts = set()
    for counts in ((), (5,), (1, 2)):
        devices = ("RPC0", "RPC1")[: len(counts)]
        every: dict[str, Any] = {"n_ctx": 512, "n_gpu_layers": 0 if not counts else -1, "rpc": endpoints(remotes)}
        event = client.load(tiny("dense"), **every, devices=devices, layers_on=counts)
        assert isinstance(event, Loaded), event
        assert event.model.n_gpu_layers == sum(counts)
        # The same slices on the same kind of processor, so not even rounding differs.
        texts.add(client.write(QUESTION, max_tokens=24).text)
    assert len(texts) == 1
    assert texts != {""}


def test_experts_stay_in_main_memory(
    client: WorkerProcess, remotes: tuple[RpcWorker, RpcWorker], tmp_path: Path
) -> None:
    path = write(tmp_path / "m.gguf", "qwen3moe", Shape(n_layer=6, n_embd=512, n_ff=2048, n_vocab=4096))
    at = {"n_ctx": 512, "rpc": endpoints(remotes), "devices": ("RPC0",)}
    whole = planned(client, path, **at)
    some = planned(client, path, **at, n_cpu_experts=4)
    every = planned(client, path, **at, n_cpu_experts=6)
    on_device = [shares[1].weights_bytes for shares in (whole, some, every)]
    assert on_device[0] - on_device[1] == 2 * (on_device[1] - on_device[2]) > 0
    assert len({sum(share.weights_bytes for share in shares) for shares in (whole, some, every)}) == 1
    assert layers(some) == layers(whole)
    event = client.load(path, **at, n_cpu_experts=4)
    assert isinstance(event, Loaded), event
    check_plan(some, event.model.shares)


def test_what_is_not_there_is_refused_and_the_model_stays(
    client: WorkerProcess, remotes: tuple[RpcWorker, RpcWorker], tiny: Callable[[str], Path]
) -> None:
    path = tiny("dense")
    assert isinstance(client.load(path, n_ctx=256), Loaded)
    event = failed(client.load(path, rpc=endpoints(remotes), devices=("RPC7",)), Code.DEVICE_FAILED)
    assert (event.detail, event.model_kept) == ("RPC7", True)
    for endpoint in ("127.0.0.1:1", "nonsense", "[::1]:50052"):
        event = failed(client.load(path, rpc=(endpoint,)), Code.WORKER_UNREACHABLE)
        assert (event.detail, event.model_kept) == (endpoint, True)
        assert failed(client.ask(Describe(id=client.next_id(), rpc=(endpoint,))), Code.WORKER_UNREACHABLE)
    event = failed(client.load(path, rpc=endpoints(remotes), devices=("RPC0",), layers_on=(1, 1)), Code.LOAD_FAILED)
    assert event.model_kept
    assert client.ask(Describe(id=client.next_id())).info.model is not None


def test_a_device_without_room_says_out_of_memory(starter_model: Path) -> None:
    with rpc_worker(memory_bytes=90 * MIB) as small:
        process = WorkerProcess()
        try:
            at = {"n_ctx": 512, "rpc": (small.endpoint,), "devices": ("RPC0",)}
            failed(process.load(starter_model, **at, n_gpu_layers=-1), Code.OUT_OF_MEMORY)
            event = process.load(starter_model, **at, n_gpu_layers=3)
            assert isinstance(event, Loaded), event
            assert event.model.n_gpu_layers == 3
        finally:
            process.close()


def test_a_server_ends_when_it_is_told_to() -> None:
    with rpc_worker() as one:
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(30) == 0
    with rpc_worker() as other:
        taken = subprocess.run(
            rpc_server_command(other.endpoint), capture_output=True, text=True, timeout=60, check=False
        )
        assert (taken.returncode, taken.stdout) == (1, "")
        assert "cannot listen" in taken.stderr
        assert other.process.stdin is not None
        other.process.stdin.close()
        assert other.process.wait(30) == 0
