"""Further computers: the gate is asked, they take part, they go away. Real ones, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.bootstrap import Application
from app.chat.messages import ReplyState
from app.engine.values import Sampling
from app.services.changes import EngineChanged, EngineState, NetworkChanged
from app.services.sending import Choices
from tests.support.application import Recorder, load, running, running_real
from tests.support.rpc import rpc_worker

FAR = "192.0.2.7:50052"
BRIEF = Choices(sampling=Sampling(temperature=0.0, seed=1, max_tokens=4))
LONG = Choices(sampling=Sampling(temperature=0.0, seed=1, max_tokens=400))


@pytest.fixture
def app(starter_model: Path) -> Iterator[tuple[Application, Recorder]]:
    """The real engine, two layers of the model on other devices if there are any."""
    with running_real(n_ctx=512, n_threads=1, n_gpu_layers=2) as both:
        yield both


def test_a_worker_that_dies_in_a_reply_costs_that_reply_and_the_model_comes_back_without_it(
    app: tuple[Application, Recorder],
) -> None:
    application, seen = app
    with rpc_worker() as worker:
        application.settings.change("engine.workers", [worker.endpoint])
        model = load(application, seen).model
        assert model is not None
        assert [(share.kind, share.layers) for share in model.shares] == [("cpu", 29), ("gpu", 2)]
        assert application.network.state.computing == ()  # it is this computer
        sent = application.sending.send(None, "Tell a story.", choices=LONG)
        seen.writing(sent.reply_id)
        worker.kill()
        ended = seen.end_of(sent.reply_id)
        assert ended.state in (ReplyState.LOST, ReplyState.FAILED)
        assert ended.facts is not None
        assert [share.layers for share in ended.facts.devices] == [29, 2]
        again = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.stepped_down != "")
        assert again.model is not None
        assert sum(share.layers for share in again.model.shares if share.kind != "cpu") == 0
        other = application.sending.send(sent.conversation_id, "Go on.", choices=BRIEF)
        assert seen.end_of(other.reply_id).state is ReplyState.DONE


def test_a_worker_that_is_not_there_is_left_out_and_named(app: tuple[Application, Recorder]) -> None:
    application, seen = app
    with rpc_worker() as worker:
        gone = worker.endpoint
    application.settings.change("engine.workers", [gone])
    ended = load(application, seen)
    assert ended.state is EngineState.READY
    assert gone in ended.stepped_down
    assert "does not answer" in ended.stepped_down
    plan = application.plans.plan(ended.model_id)
    assert plan.stepped_down == ""  # nothing to be kept: it may be there the next time


def test_a_device_with_too_little_memory_is_stepped_down_from(
    starter_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGLENOOK_DEVICE_MEMORY", f"RPC0={4 << 30}/{4 << 30}")
    with running_real(n_threads=1) as (application, seen), rpc_worker(memory_bytes=160 << 20) as worker:
        application.settings.change("engine.workers", [worker.endpoint])
        ended = load(application, seen)
        assert ended.state is EngineState.READY, ended.sentence
        assert ended.stepped_down
        assert ended.model is not None
        assert sum(share.layers for share in ended.model.shares) == 31


# --- the gate ---------------------------------------------------------------------------------------------------------


def test_a_computer_elsewhere_is_not_asked_while_offline() -> None:
    with running() as (application, seen):
        application.settings.change("engine.workers", [FAR])
        ended = load(application, seen)
        assert ended.state is EngineState.READY
        assert "offline" in ended.stepped_down
        assert FAR in ended.stepped_down
        assert application.network.state.computing == ()
        (entry,) = [entry for entry in application.network.ledger() if entry.purpose == "compute"]
        assert (entry.host, entry.outcome.value, entry.local) == (FAR, "refused", False)


def test_a_computer_elsewhere_is_named_while_it_is_used_and_let_go_when_the_network_is_switched_off() -> None:
    card = {
        "name": "RPC0", "description": "", "kind": "gpu", "memory_free_bytes": 8 << 30, "memory_total_bytes": 8 << 30,
        "backend": "RPC", "host": "192.0.2.7",
    }  # fmt: skip
    with running({"remote": {FAR: [card]}}) as (application, seen):
        application.settings.change("engine.workers", [FAR])
        application.network.go_online()
        assert load(application, seen).stepped_down == ""
        assert application.network.state.computing == (FAR,)
        assert FAR in application.network.state.words
        pid = application.engine.pid
        since = len(seen.changes)
        application.network.go_offline()
        seen.wait_for(NetworkChanged, lambda c: not c.state.online, since)
        home = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY, since)
        assert FAR in home.stepped_down
        assert application.engine.pid not in (None, pid)  # what still was on its way there has ended
        assert application.network.state.computing == ()
