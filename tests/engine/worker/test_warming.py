"""What of a mapped file is read before the loader runs, and how it is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.gguf import check_loadable
from app.engine.gguf_header import Header
from app.engine.protocol import Cancel, Code, Failed, Load, Progress
from app.engine.values import LoadOptions
from app.engine.worker import warming
from app.engine.worker.warming import PIECE_BYTES, in_main_memory, warm
from tests.engine.worker.process import WorkerProcess
from tests.support.architectures import Shape, write


def size(ranges: list[tuple[int, int]]) -> int:
    return sum(end - begin for begin, end in ranges)


def tensors(header: Header, *parts: str) -> int:
    return sum(tensor.size_bytes for tensor in header.tensors if any(part in tensor.name for part in parts))


def test_only_what_stays_in_main_memory_is_read(tmp_path: Path) -> None:
    header = check_loadable(write(tmp_path / "m.gguf", "qwen3moe", Shape(n_layer=4)))
    everything = tensors(header, "")
    plain = LoadOptions()
    assert size(in_main_memory(header, 4, 0, plain)) >= everything
    for layers in (-1, 5, 99):
        assert size(in_main_memory(header, 4, layers, plain)) == tensors(header, "token_embd")
    some = size(in_main_memory(header, 4, 2, plain))  # the last layer and the output
    assert some == pytest.approx(tensors(header, "token_embd", "blk.0.", "blk.1.", "blk.2."), abs=1000)
    experts = size(in_main_memory(header, 4, -1, LoadOptions(n_cpu_experts=2)))
    wanted = sum(tensors(header, f"blk.{layer}.ffn_{kind}_exps") for layer in (0, 1) for kind in ("up", "down", "gate"))
    assert experts == pytest.approx(tensors(header, "token_embd") + wanted, abs=1000)


@pytest.mark.parametrize("populate", [True, False])
def test_it_tells_bytes_and_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, populate: bool) -> None:
    if not populate:
        monkeypatch.setattr(sys, "platform", "elsewhere")
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(3 * PIECE_BYTES + 100)
    told: list[int] = []

    def tell(done: int) -> bool:
        told.append(done)
        return True

    assert warm([(path, [(50, 3 * PIECE_BYTES + 100)])], tell)
    assert told == [PIECE_BYTES, 2 * PIECE_BYTES, 3 * PIECE_BYTES, 3 * PIECE_BYTES + 50]
    assert not warm([(path, [(0, 3 * PIECE_BYTES)])], lambda done: done < 2 * PIECE_BYTES)


def test_more_than_is_free_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(5000))
    monkeypatch.setattr(warming, "available_bytes", lambda: 4999)
    assert warm([(path, [(0, 5000)])], lambda done: pytest.fail("read"))
    monkeypatch.setattr(warming, "available_bytes", lambda: 5000)
    assert warm([(path, [(0, 5000)])], lambda done: True)
    assert warm([(tmp_path / "none", [(0, 5000)])], lambda done: pytest.fail("read"))


def test_a_load_tells_bytes_and_is_cancelled_within_them(worker: WorkerProcess, starter_model: Path) -> None:
    worker.send(Load(id=1, path=str(starter_model), options=LoadOptions(n_ctx=256, n_threads=1)))
    events = [event for _, event in worker.events_of(1, until=lambda event: isinstance(event, Progress))]
    worker.send(Cancel(target=1))
    events += [event for _, event in worker.events_of(1)]
    assert isinstance(events[0], Progress)
    assert 0 < events[0].done < events[0].total == starter_model.stat().st_size
    assert isinstance(events[-1], Failed)
    assert events[-1].code == Code.CANCELLED


def test_every_way_to_load_tells_bytes_up_to_the_end(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    path = tiny("dense")
    for number, options in enumerate((LoadOptions(), LoadOptions(use_mmap=False), LoadOptions(n_gpu_layers=0)), 1):
        worker.send(Load(id=number, path=str(path), options=options))
        told = [event for _, event in worker.events_of(number) if isinstance(event, Progress)]
        assert [event.done for event in told] == sorted(event.done for event in told)
        assert told[-1].done == told[-1].total == path.stat().st_size
