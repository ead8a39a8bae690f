"""A second device: another process of llama.cpp, reached over loopback, that takes layers as a graphics card does.

What a plan says of each device is held against what a real load with the same options says.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.engine.fit import estimate
from app.engine.gguf import check_loadable
from app.engine.hardware import Device
from app.engine.shape import shape_of
from app.engine.values import LoadOptions
from tests.support.architectures import Shape, write

MIB = 1024 * 1024
ROOT = Path(__file__).resolve().parents[3]
GUARD_S = 60.0

SERVER = """
import ctypes, sys
from app.engine.worker import llama
llama.start_backends()
devices = (ctypes.c_void_p * 1)(llama._ggml("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)(0))
serve = llama._ggml(
    "ggml_backend_rpc_start_server", None,
    ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p,
)
serve(sys.argv[1].encode(), None, 1, 1, ctypes.cast(devices, ctypes.c_void_p))
"""

CLIENT = """
import ctypes, json, sys
from pathlib import Path
import msgspec
from app.engine.values import LoadOptions
from app.engine.worker import llama
from app.engine.worker.context import Abort, Context
from app.engine.worker.planning import plan
llama.start_backends()
add = llama._ggml("ggml_backend_rpc_add_server", ctypes.c_void_p, ctypes.c_char_p)
llama._ggml("ggml_backend_register", None, ctypes.c_void_p)(add(sys.argv[1].encode()))
answers = {"devices": msgspec.to_builtins(llama.devices()), "loads": []}
for layers in json.loads(sys.argv[3]):
    options = LoadOptions(n_ctx=4096, n_gpu_layers=layers, n_threads=1)
    lines = []
    llama.log.listener = lines.append
    model = llama.Model(Path(sys.argv[2]), options, lambda fraction: True)
    context = Context(model, options, 1, Abort())
    llama.log.listener = None
    context.close()
    model.close()
    answers["loads"].append({"plan": msgspec.to_builtins(plan(Path(sys.argv[2]), options)), "lines": lines})
sys.stderr.write("ANSWER " + json.dumps(answers) + "\\n")
"""


@pytest.fixture
def remote() -> Iterator[str]:
    """The address of a device."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", SERVER, f"127.0.0.1:{port}"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        end, pause = time.monotonic() + GUARD_S, threading.Event()
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < end
                pause.wait(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def reported(lines: list[str]) -> dict[str, dict[str, float]]:
    """What the loader said of the buffers of the device and of main memory."""
    found: dict[str, dict[str, float]] = {"CPU": {}, "RPC0": {}}
    for line in lines:
        said = re.match(r"\w+: +(\S+) +(model|KV|compute|output) buffer size = +([\d.]+) MiB", line)
        if said:
            sums = found["RPC0" if said[1].startswith("RPC0") else "CPU"]
            kind = {"output": "compute"}.get(said[2], said[2])
            sums[kind] = sums.get(kind, 0.0) + float(said[3]) * MIB
    return found


@pytest.mark.parametrize(("architecture", "tied"), [("gemma3", True), ("qwen3moe", False)])
def test_a_plan_says_what_each_device_takes(architecture: str, tied: bool, remote: str, tmp_path: Path) -> None:
    shape = Shape(n_layer=12, n_embd=512, n_ff=2048, n_vocab=8192)
    path = write(tmp_path / "m.gguf", architecture, shape)
    command = [sys.executable, "-c", CLIENT, remote, str(path), json.dumps([-1, 3, 0])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=GUARD_S, check=False)
    answer = next((line for line in done.stderr.splitlines() if line.startswith("ANSWER ")), "")
    assert answer, done.stderr[-3000:]
    answers: dict[str, Any] = json.loads(answer.removeprefix("ANSWER "))
    devices = [Device(**device) for device in answers["devices"] if device["kind"] == "gpu"]
    assert [device.name for device in devices] == ["RPC0"]
    model = shape_of(check_loadable(path))
    assert model.tied is tied
    for layers, load in zip((-1, 3, 0), answers["loads"], strict=True):
        plan, said = load["plan"], reported(load["lines"])
        assert plan["n_gpu_layers"] == {-1: 13}.get(layers, layers)
        computed = estimate(model, LoadOptions(n_ctx=4096, n_gpu_layers=layers), devices)
        assert [share.name for share in computed.shares] == [share["name"] for share in plan["shares"]]
        for share, guessed in zip(plan["shares"], computed.shares, strict=True):
            real = said[share["name"]]
            assert share["kv_bytes"] == pytest.approx(real.get("KV", 0), abs=0.03 * MIB)
            assert share["compute_bytes"] == pytest.approx(real["compute"], abs=0.03 * MIB)
            # A mapped file reports all between the first and the last tensor that lies in it.
            assert share["weights_bytes"] <= real["model"] + 0.03 * MIB
            if share["name"] == "RPC0":
                assert share["weights_bytes"] == pytest.approx(real["model"], abs=0.03 * MIB)
            assert (guessed.weights_bytes, guessed.kv_bytes) == (share["weights_bytes"], share["kv_bytes"])
            total = sum(share[name] for name in ("weights_bytes", "kv_bytes", "compute_bytes"))
            # The working buffer of a part of the layers depends on where the cut is; the formula takes the widest.
            assert 0.98 * total - MIB <= guessed.total_bytes <= total + 5 * MIB
