"""The whole application on a card: the plan it makes, what it does when the card is fuller than it was told, and what
the command line tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.chat.messages import ReplyState
from app.engine.hardware import Device
from app.engine.values import Sampling
from app.services.changes import EngineChanged, EngineState
from app.services.device_memory import VARIABLE
from app.services.sending import Choices
from tests.engine.worker.process import WorkerProcess
from tests.gpu.conftest import ballast, described
from tests.support.application import load, running_real
from tests.support.command import json_of
from tests.support.processes import gone

MIB = 1024 * 1024
OF_A_PROCESS = 600 * MIB  # what a driver takes for a process of its own, beside the model
BRIEF = Choices(sampling=Sampling(seed=1, max_tokens=16))

pytestmark = pytest.mark.usefixtures("starter_model")


def test_by_itself_the_model_goes_to_the_card_and_its_memory_comes_back(card: Device) -> None:
    watcher = WorkerProcess()
    try:
        before = described(watcher)[card.name].memory_free_bytes
        with running_real() as (app, seen):
            ended = load(app, seen)
            assert ended.state is EngineState.READY, ended.sentence
            assert ended.model is not None
            assert ended.model.n_gpu_layers == 31
            assert ended.stepped_down == ""
            sent = app.sending.send(None, "Why is the sky blue?", choices=BRIEF)
            reply = seen.end_of(sent.reply_id)
            assert reply.state is ReplyState.DONE
            pid = app.engine.pid
            assert pid is not None
            app.loading.unload()
            seen.wait_for(EngineChanged, lambda c: c.state is EngineState.OFF)
            assert gone(pid)
            assert before - described(watcher)[card.name].memory_free_bytes <= 5 * MIB
    finally:
        watcher.close()


def test_a_card_that_is_fuller_than_it_was_told_leads_to_less(card: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    # The plan believes that all of the card is free; the full one needs twice of what is.
    monkeypatch.setenv(VARIABLE, f"{card.name}={card.memory_total_bytes}/{card.memory_total_bytes}")
    with ballast(card, card.memory_free_bytes - OF_A_PROCESS - 200 * MIB), running_real() as (app, seen):
        ended = load(app, seen)
        assert ended.state is EngineState.READY, ended.detail
        assert ended.stepped_down
        sent = app.sending.send(None, "Say hello.", choices=BRIEF)
        assert seen.end_of(sent.reply_id).state is ReplyState.DONE
        print(*dict.fromkeys(change.stepped_down for change in seen.of(EngineChanged)), sep="\n")


def test_a_card_that_is_full_is_left_alone(card: Device) -> None:
    with ballast(card, card.memory_free_bytes - OF_A_PROCESS - 100 * MIB), running_real() as (app, seen):
        ended = load(app, seen)
        assert ended.state is EngineState.READY, ended.detail
        assert ended.model is not None
        assert ended.model.n_gpu_layers < 31
        assert ended.stepped_down == "", "it was seen before it was tried"


def test_the_command_line_tells_where_the_model_lay(card: Device, tmp_path: Path) -> None:
    short = ("--max-tokens", "2", "--seed", "1", "--ctx", "512", "--temporary")
    answer = json_of(tmp_path / "home", "ask", "Hi", *short, "--gpu-layers", "10")
    assert [(one["name"], one["layers"]) for one in answer["devices"]] == [("CPU", 21), (card.name, 10)]
    report = json_of(tmp_path / "home", "doctor")
    assert card.name in [device["name"] for device in report["devices"]]
