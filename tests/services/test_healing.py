"""A load that does not work is followed by one that needs less; what worked is kept; what would swap is refused."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.bootstrap import Application
from app.chat.messages import ReplyState
from app.engine.command import worker_command
from app.engine.hardware import DeviceShare, Machine
from app.engine.values import LoadOptions, Sampling
from app.services.changes import Change, EngineChanged, EngineState
from app.services.placement import freed
from app.services.sending import Choices
from tests.support.application import Recorder, load, reply, running, running_real
from tests.support.fake_models import loaded, starter

GIB = 1024**3
LIMITED = (
    "import os, resource, sys; size = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_AS, (size, size)); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)
CARD = {
    "name": "CUDA0", "description": "A card", "kind": "gpu", "memory_free_bytes": 8 * GIB,
    "memory_total_bytes": 8 * GIB, "backend": "CUDA",
}  # fmt: skip


def lines(seen: Recorder) -> list[str]:
    """What was told of steps, each once, in order."""
    return list(dict.fromkeys(change.stepped_down for change in seen.of(EngineChanged) if change.stepped_down))


def memory(app: Application, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """So much is free on this computer."""
    machine = Machine(memory_total_bytes=32 * GIB, memory_free_bytes=free)
    monkeypatch.setattr(app.fitting, "machine", lambda: machine)


# --- scripted ---------------------------------------------------------------------------------------------------------


def test_a_process_that_died_of_memory_in_a_load_is_followed_by_a_smaller_load(tmp_path: Path) -> None:
    die = {"at": "load", "how": "abort", "stderr": "failed to allocate a buffer", "once": str(tmp_path / "died")}
    with running({"die": die}) as (app, seen):
        model = app.library.list()[0]
        ended = load(app, seen)
        assert ended.state is EngineState.READY
        assert ended.stepped_down == lines(seen)[0]
        assert "instead of 512" in ended.stepped_down
        plan = app.plans.plan(model.id)
        assert (plan.stepped_down, plan.options.n_ubatch) == (ended.stepped_down, 128)
        assert plan.suggested.n_ubatch == 512
    with running() as (app, seen):  # it is kept, and tried first the next time
        again = load(app, seen)
        assert again.stepped_down == ended.stepped_down
        since = len(seen.changes)
        app.plans.forget(model.id)
        full = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY, since)
        assert full.stepped_down == ""
        assert app.plans.plan(model.id).options.n_ubatch == 512
    with running() as (app, seen):
        assert load(app, seen).stepped_down == ""


def test_each_step_is_told_and_the_one_that_worked_is_kept() -> None:
    with running({"load": {"code": "out_of_memory", "times": 3}}) as (app, seen):
        ended = load(app, seen)
        assert ended.state is EngineState.READY
        told = lines(seen)
        assert len(told) == len(set(told)) == 3
        assert ended.stepped_down == told[-1] == app.plans.plan(ended.model_id).stepped_down


def test_a_smaller_load_maps_the_file_that_was_copied_before(monkeypatch: pytest.MonkeyPatch) -> None:
    with running({"load": {"code": "out_of_memory", "times": 1}}) as (app, seen):
        machine = Machine(memory_total_bytes=32 * GIB, memory_free_bytes=32 * GIB, large_pages=True)
        monkeypatch.setattr(app.fitting, "machine", lambda: machine)
        asked: list[bool | None] = []
        load_it = app.engine.load

        def noted(path: Path, options: LoadOptions, on_progress: Any = None) -> Any:
            asked.append(options.use_mmap)
            return load_it(path, options, on_progress)

        monkeypatch.setattr(app.engine, "load", noted)
        assert load(app, seen).state is EngineState.READY
    assert asked == [False, None]


@pytest.mark.parametrize(
    "script",
    [
        {"load": {"code": "device_failed", "times": 1}},
        {"die": {"at": "load", "how": "abort", "stderr": "CUDA error: device lost", "once": "died"}},
        {"die": {"at": "load", "how": "segv", "once": "died"}},  # with a device, it is most likely its driver
    ],
)
def test_a_fault_of_a_driver_leads_to_the_processor_at_once(script: dict[str, Any], tmp_path: Path) -> None:
    if "die" in script:
        script = {"die": {**script["die"], "once": str(tmp_path / "died")}}
    with running({**script, "devices": [CARD]}) as (app, seen):
        ended = load(app, seen)
        assert ended.state is EngineState.READY
        assert lines(seen) == [ended.stepped_down]
        assert "processor alone" in ended.stepped_down
        plan = app.plans.plan(ended.model_id)
        assert (plan.options.n_gpu_layers, plan.suggested.n_gpu_layers) == (0, 31)


def test_other_settings_begin_with_the_full_plan_again(tmp_path: Path) -> None:
    die = {"at": "load", "how": "abort", "stderr": "failed to allocate a buffer", "once": str(tmp_path / "died")}
    with running({"die": die}) as (app, seen):
        assert load(app, seen).stepped_down
        app.settings.change("engine.n_ctx", 4096)
        assert load(app, seen).stepped_down == ""
        app.settings.change("engine.n_ctx", 0)
        assert load(app, seen).stepped_down


def test_where_no_step_helps_the_person_is_told_the_numbers() -> None:
    script = {
        "load": {"code": "out_of_memory", "numbers": {"needed_bytes": 9_100_000_000, "free_bytes": 6_400_000_000}}
    }
    with running(script) as (app, seen):
        ended = load(app, seen)
        assert ended.state is EngineState.FAILED
        assert "9.1 GB and 6.4 GB are free" in ended.sentence
        assert not ended.can_insist
        assert len(lines(seen)) >= 4
        assert app.plans.plan(app.library.list()[0].id).stepped_down == ""


@pytest.mark.parametrize("code", ["load_failed", "gguf_broken", "unknown_architecture"])
def test_a_bad_file_is_not_tried_again(code: str) -> None:
    with running({"load": {"code": code}}) as (app, seen):
        assert load(app, seen).state is EngineState.FAILED
        assert lines(seen) == []


def test_a_crash_without_a_word_of_memory_is_not_tried_again_on_the_processor(tmp_path: Path) -> None:
    with running({"die": {"at": "load", "how": "segv", "once": str(tmp_path / "died")}}) as (app, seen):
        assert load(app, seen).state is EngineState.FAILED
        assert lines(seen) == []


def test_a_reply_that_fails_for_memory_leads_to_less_at_the_next_load() -> None:
    replies = [{"code": "out_of_memory"}, reply("Here I am.")]
    with running({"replies": replies}) as (app, seen):
        assert load(app, seen).stepped_down == ""
        sent = app.sending.send(None, "Hi")
        assert seen.end_of(sent.reply_id).state is ReplyState.FAILED
        stepped = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.stepped_down != "")
        assert app.plans.plan(stepped.model_id).stepped_down == stepped.stepped_down
        other = app.sending.send(sent.conversation_id, "And now?")
        assert seen.end_of(other.reply_id).state is ReplyState.DONE


def test_a_process_that_died_of_memory_in_a_reply_comes_back_with_less(tmp_path: Path) -> None:
    die = {"at": "tokens", "after": 1, "how": "abort", "stderr": "std::bad_alloc", "once": str(tmp_path / "died")}
    with running({"die": die, "replies": [reply("One two three four.")]}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        assert seen.end_of(sent.reply_id).state is ReplyState.LOST
        stepped = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.restarted)
        assert stepped.stepped_down
        other = app.sending.send(sent.conversation_id, "And now?")
        assert seen.end_of(other.reply_id).state is ReplyState.DONE


# --- by hand, and against swapping ------------------------------------------------------------------------------------


def test_options_set_by_hand_are_used_and_kept() -> None:
    by_hand = LoadOptions(n_ctx=2048, n_threads=1, n_gpu_layers=0, type_k="q8_0", type_v="q8_0")
    with running() as (app, seen):
        model = app.library.list()[0]
        shown = app.plans.plan(model.id, by_hand)
        assert (shown.options.n_ctx, shown.by_person, shown.suggested.n_ctx) == (2048, True, 8192)
        ended = load(app, seen, options=by_hand)
        assert ended.model is not None
        assert (ended.model.n_ctx, ended.model.n_threads) == (2048, 1)
        assert not app.loading.outdated
    with running() as (app, seen):
        plan = app.plans.plan(model.id)
        assert plan.by_person
        assert (plan.options.n_ctx, plan.options.type_k) == (2048, "q8_0")
        app.settings.override("engine.n_ctx", 1024)  # asked for in this run: goes before
        assert app.plans.plan(model.id).options.n_ctx == 1024
        app.plans.forget(model.id)
        assert not app.plans.plan(model.id).by_person


def test_what_would_push_the_system_into_swap_is_refused_unless_the_person_insists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running() as (app, seen):
        memory(app, monkeypatch, free=100_000_000)
        refused = load(app, seen)
        assert (refused.state, refused.can_insist) == (EngineState.FAILED, True)
        assert "100 MB are free" in refused.sentence
        assert app.loading.ready is None
        assert load(app, seen, insist=True).state is EngineState.READY
        app.settings.change("engine.n_ctx", 4096)
        assert load(app, seen).state is EngineState.READY  # insisted once


def test_the_model_that_is_loaded_makes_room_for_the_next_one() -> None:
    machine = Machine(memory_total_bytes=8 * GIB, memory_free_bytes=1 * GIB)
    shares = (DeviceShare(name="CPU", kind="cpu", weights_bytes=4 * GIB, kv_bytes=GIB, compute_bytes=GIB),)
    for mapped, free in ((True, 3 * GIB), (False, 7 * GIB)):
        model = msgspec.structs.replace(loaded(starter()), shares=shares, mapped=mapped)
        assert freed(machine, model).memory_free_bytes == free


# --- for real ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def confined(starter_model: Path) -> Iterator[tuple[Application, Recorder]]:
    """The real engine with so little memory that the first two steps are not enough for the starter model."""
    command = [sys.executable, "-c", LIMITED, str(395 * 1024 * 1024), *worker_command()]
    with running_real(engine_command=command, n_threads=2) as both:
        yield both


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no limit of a process's memory")
def test_a_model_steps_down_until_it_fits(confined: tuple[Application, Recorder]) -> None:
    app, seen = confined
    times: list[tuple[str, float]] = []

    def note(change: Change) -> None:
        if isinstance(change, EngineChanged):
            times.append((change.stepped_down, time.monotonic()))

    app.publisher.subscribe(note)
    ended = load(app, seen)
    assert ended.state is EngineState.READY, ended.detail
    assert len(lines(seen)) >= 3
    assert ended.stepped_down == lines(seen)[-1]
    failed_at = next(at for line, at in times if line)
    print(f"from a failed load to a working one: {times[-1][1] - failed_at:.2f} s, {len(lines(seen))} steps")
    brief = Choices(sampling=Sampling(temperature=0.0, seed=1, max_tokens=8))
    sent = app.sending.send(None, "Say hello.", choices=brief)
    assert seen.end_of(sent.reply_id).state is ReplyState.DONE
    model = app.library.list()[0]
    assert app.plans.plan(model.id).stepped_down == ended.stepped_down
    app.loading.unload()
    seen.wait_for(EngineChanged, lambda c: c.state is EngineState.OFF)
    since = len(seen.changes)
    assert load(app, seen).stepped_down == ended.stepped_down
    told = [change for change in seen.changes[since:] if isinstance(change, EngineChanged)]
    assert {change.stepped_down for change in told} <= {"", ended.stepped_down}  # at the first try
