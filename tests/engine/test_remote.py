"""A device of another computer that goes away: what is lost, and what goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.command import worker_command
from app.engine.errors import EngineDied, EngineError
from app.engine.protocol import Code, Delta
from app.engine.supervisor import State
from app.engine.values import LoadOptions
from tests.support.engines import WAIT_S, Reply, Watched, ask
from tests.support.rpc import rpc_worker


@pytest.fixture
def watched() -> Iterator[Watched]:
    engine = Watched(worker_command())
    yield engine
    engine.engine.close()


def test_a_device_that_goes_away_costs_one_reply(
    watched: Watched, starter_model: Path, expected_warnings: list[str]
) -> None:
    expected_warnings.append("engine")
    engine = watched.engine
    here = LoadOptions(n_ctx=512, n_threads=1, n_gpu_layers=0)
    with rpc_worker() as remote:
        there = LoadOptions(n_ctx=512, n_threads=1, rpc=(remote.endpoint,), devices=("RPC0",))
        model = engine.load(starter_model, there).result(WAIT_S)
        assert (model.shares[1].name, model.shares[1].layers) == ("RPC0", 31)
        reply = Reply(engine, ask("Tell me of the sea.", max_tokens=0))
        reply.wait_for(Delta, 3)
        remote.kill()
        with pytest.raises(EngineDied) as died:
            reply.result()
        assert "RPC" in died.value.detail
    watched.wait_for(State.READY, State.DIED, State.READY)
    with pytest.raises(EngineError) as gone:
        engine.load(starter_model, there).result(WAIT_S)
    assert gone.value.code == Code.WORKER_UNREACHABLE
    assert remote.endpoint in gone.value.detail
    assert engine.load(starter_model, here).result(WAIT_S).n_gpu_layers == 0
    assert Reply(engine, ask("Hello.", max_tokens=3)).result().completion_tokens > 0


def test_a_device_that_is_gone_when_nothing_is_written_is_said(watched: Watched, starter_model: Path) -> None:
    engine = watched.engine
    with rpc_worker() as remote:
        assert [device.host for device in engine.describe((remote.endpoint,)).result(WAIT_S).devices if device.host]
        remote.kill()
        with pytest.raises(EngineError) as gone:
            engine.describe((remote.endpoint,)).result(WAIT_S)
        assert gone.value.code == Code.WORKER_UNREACHABLE
        assert remote.endpoint in gone.value.detail
        assert all(not device.host for device in engine.describe().result(WAIT_S).devices)


def test_a_device_of_two_programs_is_busy_for_the_second(watched: Watched, starter_model: Path) -> None:
    """llama.cpp's server talks with one client at a time; the first one must not wait for the second."""
    with rpc_worker() as remote:
        there = LoadOptions(n_ctx=512, n_threads=1, n_gpu_layers=2, rpc=(remote.endpoint,), devices=("RPC0",))
        watched.engine.load(starter_model, there).result(WAIT_S)
        second = Watched(worker_command())
        try:
            with pytest.raises(EngineError) as busy:
                second.engine.describe((remote.endpoint,)).result(WAIT_S)
            assert (busy.value.code, busy.value.numbers) == (Code.WORKER_UNREACHABLE, {"busy": 1})
            # The first one knows it, and asks it, all the same.
            first = watched.engine.describe((remote.endpoint,)).result(WAIT_S)
            assert [device.name for device in first.devices if device.host] == ["RPC0"]
            watched.engine.unload().result(WAIT_S)
            free = second.engine.describe((remote.endpoint,)).result(WAIT_S)
            assert [device.name for device in free.devices if device.host] == ["RPC0"]
        finally:
            second.engine.close()
