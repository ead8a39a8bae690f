"""What every engine process promises, the scripted and the real one alike, seen through the client.

How a load ends. It ends *loaded*, after progress that never falls. It is *refused* when the file is missing, no GGUF,
cut short, a vocabulary, or of an unknown architecture: the model before it stays and answers. It is *cancelled*, soon.
The *process dies*: the load fails with how it died, and the process comes back without a model.

How a reply ends. The model *stops* by itself or at a stop string, which is not part of the text. It has its *length*:
max_tokens. It is *stopped*: while writing, while reading a long prompt, or before it began; what was written stays. It
*fails* without a model, or with a prompt that is too long, and says by how much. The *process dies* under it, killed,
aborted or hung, while reading or while writing: what was written stays, the reply fails with how it died, the process
comes back, and a model can be loaded and answers. The engine is *closed*: the reply fails, and the process is gone.

A conversation is *kept* in a file and *comes back* from it, by itself or when it is asked to; a file that is no
snapshot is as if it were not there. What is *forgotten* is in memory no more. What was read with an *adapter* serves
no other, and a file that is none fails the reply only.

Whatever happens, a call ends exactly once, and after Started and reading and text. A next turn reads only what is new.
A frame that is no command is answered, and harms nothing. No process outlives its parent.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.engine.bare import write_bare
from app.engine.command import worker_command
from app.engine.engine import Engine
from app.engine.errors import (
    AdapterMisfit,
    Cancelled,
    EngineClosed,
    EngineDied,
    EngineError,
    FileMissing,
    GgufTruncated,
    NoModel,
    NotAChatModel,
    NotGguf,
    PromptTooLong,
    UnknownArchitecture,
)
from app.engine.gguf import open_model
from app.engine.gguf_header import read_header
from app.engine.protocol import Code, Delta, Failed, Progress, Started
from app.engine.supervisor import State
from app.engine.values import Adapter, GenerateRequest, LoadedModel, LoadOptions, PromptMessage
from tests.support import tiny_adapters
from tests.support.engines import WAIT_S, Reply, Watched, ask, fake
from tests.support.gguf_writer import LLAMA, TENSORS, gguf_bytes
from tests.support.processes import gone

N_CTX = 1024
MIB = 1024 * 1024
OPTIONS = LoadOptions(n_ctx=N_CTX, n_threads=1)
STORY = "Tell me a long story about a lighthouse, a storm and the sea."
SCRIPT = {
    "n_ctx": N_CTX,
    "load": {"check": True, "seconds": 0.3, "steps": 10},
    "replies": [{"text": "Once there was a lighthouse. " * 60, "tokens_per_s": 150, "read_tokens_per_s": 1500}],
    "speeds": [{"name": "CPU", "bandwidth_bytes_per_s": 2e10, "compute_flops": 1e11, "cache_bytes_per_s": 2e10}],
}
LONG = "word " * 600  # more than one slice of 512


def command(kind: str) -> list[str]:
    return fake(SCRIPT) if kind == "fake" else worker_command()


@pytest.fixture(params=["fake", "real"])
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    """An engine whose process a test may end."""
    watched = Watched(command(request.param))
    yield watched
    watched.engine.close()


@pytest.fixture(params=["fake", "real"], scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """One process for all tests that end everything in order."""
    watched = Watched(command(request.param))
    yield watched.engine
    assert watched.outcomes == []
    watched.engine.close()
    assert watched.outcomes[-1].expected


@pytest.fixture
def model(engine: Engine, starter_model: Path) -> LoadedModel:
    return engine.model or engine.load(starter_model, OPTIONS).result(WAIT_S)


@pytest.fixture
def bare(engine: Engine) -> Engine:
    """The engine without a model."""
    engine.unload().result(WAIT_S)
    return engine


@pytest.fixture
def sequence(request: pytest.FixtureRequest) -> str:
    """A name that no other test used."""
    return str(request.node.name)


# --- loading -----------------------------------------------------------------------------------------------------


def test_a_load_ends_loaded_after_rising_progress(engine: Engine, starter_model: Path) -> None:
    fractions: list[float] = []
    model = engine.load(starter_model, OPTIONS, fractions.append).result(WAIT_S)
    assert engine.model == model
    assert (model.path, model.architecture, model.n_ctx) == (str(starter_model), "llama", N_CTX)
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] == 1


def test_a_load_says_what_it_took_of_each_device(engine: Engine, model: LoadedModel) -> None:
    plan = engine.plan(Path(model.path), OPTIONS).result(WAIT_S)
    assert (model.shares[0].name, model.shares[0].kind) == ("CPU", "cpu")
    for planned, taken in zip(plan.shares, model.shares, strict=True):
        assert planned.name == taken.name
        assert taken.total_bytes == pytest.approx(planned.total_bytes, rel=0.03, abs=MIB)


def test_a_device_that_is_not_there_leaves_the_model(engine: Engine, model: LoadedModel) -> None:
    with pytest.raises(EngineError) as missing:
        engine.load(Path(model.path), LoadOptions(devices=("CUDA7",))).result(WAIT_S)
    assert "CUDA7" in missing.value.detail
    with pytest.raises(EngineError) as silent:
        engine.load(Path(model.path), LoadOptions(rpc=("127.0.0.1:1",))).result(WAIT_S)
    with pytest.raises(EngineError):
        engine.describe(("127.0.0.1:1",)).result(WAIT_S)
    assert (missing.value.code, silent.value.code) == (Code.DEVICE_FAILED, Code.WORKER_UNREACHABLE)
    assert engine.describe().result(WAIT_S).model == engine.model == model


def refused(tmp_path: Path, starter_model: Path) -> dict[type[EngineError], Path]:
    files = {
        NotGguf: b"<!DOCTYPE html>",
        GgufTruncated: starter_model.read_bytes()[:3_000_000],
        NotAChatModel: gguf_bytes(LLAMA, ()),
        UnknownArchitecture: gguf_bytes({"general.architecture": "hal9000"}, TENSORS),
    }
    paths: dict[type[EngineError], Path] = {FileMissing: tmp_path / "none.gguf"}
    for error, data in files.items():
        paths[error] = tmp_path / f"{error.__name__}.gguf"
        paths[error].write_bytes(data)
    return paths


def test_a_refused_file_leaves_the_model_before_it(
    engine: Engine, model: LoadedModel, tmp_path: Path, starter_model: Path
) -> None:
    for error, path in refused(tmp_path, starter_model).items():
        with pytest.raises(error) as caught:
            engine.load(path, OPTIONS).result(WAIT_S)
        assert caught.value.sentence
        assert engine.model == model
    assert Reply(engine, ask("Hello", max_tokens=3)).result().completion_tokens == 3
    assert engine.describe().result(WAIT_S).model == model


def test_a_refused_file_with_no_model_before_it(bare: Engine, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        bare.load(tmp_path / "none.gguf", OPTIONS).result(WAIT_S)
    assert bare.model is None


def test_a_load_is_cancelled(bare: Engine, starter_model: Path) -> None:
    engine = bare
    call = engine.load(starter_model, OPTIONS)
    call.cancel()
    with pytest.raises(Cancelled):
        call.result(WAIT_S)
    assert engine.model is None
    assert engine.load(starter_model, OPTIONS).result(WAIT_S) == engine.model


def test_a_model_is_unloaded(engine: Engine, model: LoadedModel) -> None:
    engine.unload().result(WAIT_S)
    assert engine.model is None
    assert engine.describe().result(WAIT_S).model is None
    with pytest.raises(NoModel):
        Reply(engine, ask("Hello")).result()
    engine.unload().result(WAIT_S)


# --- asking what a model would take --------------------------------------------------------------------------------


def test_a_plan_says_what_a_load_would_take_and_leaves_the_model(
    engine: Engine, model: LoadedModel, starter_model: Path
) -> None:
    short, long = (engine.plan(starter_model, LoadOptions(n_ctx=n)).result(WAIT_S) for n in (1024, 4096))
    assert engine.model == model
    assert (short.n_ctx, long.n_ctx, short.exact) == (1024, 4096, True)
    assert short.weights_bytes == long.weights_bytes == pytest.approx(92.1 * MIB, rel=0.001)
    assert (short.kv_bytes, long.kv_bytes) == (22.5 * MIB, 90 * MIB)
    assert 0 < short.compute_bytes < long.compute_bytes < 32 * MIB
    assert short.total_bytes == short.weights_bytes + short.kv_bytes + short.compute_bytes
    assert [(share.name, share.kind) for share in short.shares] == [("CPU", "cpu")]


def test_a_plan_needs_no_more_than_the_header(engine: Engine, starter_model: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.gguf"
    with open_model(starter_model) as (read_at, size):
        write_bare(bare, read_at, read_header(read_at, size))
    whole, hollow = (engine.plan(path, LoadOptions(n_ctx=2048)).result(WAIT_S) for path in (starter_model, bare))
    assert hollow == whole


def test_a_file_that_is_no_model_has_no_plan(engine: Engine, tmp_path: Path, starter_model: Path) -> None:
    before = engine.describe().result(WAIT_S).model
    for error, path in refused(tmp_path, starter_model).items():
        with pytest.raises(error):
            engine.plan(path, OPTIONS).result(WAIT_S)
    assert engine.describe().result(WAIT_S).model == before


# --- asking how fast a device is ------------------------------------------------------------------------------------


def test_a_device_is_gauged_and_the_model_stays(engine: Engine, model: LoadedModel) -> None:
    speed = engine.gauge("CPU").result(WAIT_S)
    assert speed.name == "CPU"
    assert speed.bandwidth_bytes_per_s == speed.cache_bytes_per_s > 1e8
    assert speed.compute_flops > 1e9
    assert speed.layer_s == 0
    assert engine.describe().result(WAIT_S).model == model
    with pytest.raises(EngineError) as missing:
        engine.gauge("CUDA7").result(WAIT_S)
    assert (missing.value.code, missing.value.detail) == (Code.DEVICE_FAILED, "CUDA7")


# --- a reply that ends in order ------------------------------------------------------------------------------------


def test_a_reply_has_its_length(engine: Engine, model: LoadedModel, sequence: str) -> None:
    reply = Reply(engine, ask(STORY, sequence=sequence, max_tokens=12))
    facts = reply.result()
    reply.check_order()
    assert facts.finish_reason == "length"
    assert facts.completion_tokens == len(reply.token_ids) == 12
    started = reply.events[0]
    assert isinstance(started, Started)
    assert (started.prompt_tokens, started.cached_tokens) == (facts.prompt_tokens, facts.cached_tokens)
    assert 0 <= facts.cached_tokens < facts.prompt_tokens
    assert reply.text.strip()


def test_a_reply_stops_at_a_stop_string_which_is_not_shown(engine: Engine, model: LoadedModel) -> None:
    whole = Reply(engine, ask(STORY, max_tokens=20))
    whole.result()
    stop = whole.text[len(whole.text) // 2 :][:6]  # spans tokens
    expected = whole.text[: whole.text.index(stop)]
    reply = Reply(engine, ask(STORY, sequence="two", max_tokens=20, stop=["never said", stop]))
    assert reply.result().finish_reason == "stop"
    assert reply.text == expected
    reply.check_order()


def test_a_reply_is_stopped_while_it_is_written(engine: Engine, model: LoadedModel) -> None:
    reply = Reply(engine, ask(STORY, max_tokens=0))
    reply.wait_for(Delta, 3)
    begin = time.perf_counter()
    reply.call.cancel()
    facts = reply.result()
    assert time.perf_counter() - begin < 5
    assert facts.finish_reason == "stopped"
    assert facts.completion_tokens == len(reply.token_ids) >= 3
    reply.check_order()
    assert Reply(engine, ask("Hello", max_tokens=2)).result().completion_tokens == 2


def test_a_reply_is_stopped_while_a_long_prompt_is_read(engine: Engine, model: LoadedModel) -> None:
    reply = Reply(engine, ask(LONG))
    reply.wait_for(Started)
    reply.call.cancel()
    facts = reply.result()
    assert (facts.finish_reason, facts.completion_tokens, reply.text) == ("stopped", 0, "")
    reply.check_order()
    assert Reply(engine, ask("Hello", max_tokens=2)).result().completion_tokens == 2


def test_reading_reports_how_far_it_is(engine: Engine, model: LoadedModel) -> None:
    reply = Reply(engine, ask("word " * 150, max_tokens=1))
    total = reply.result().prompt_tokens
    done = [event.done for event in reply.events if isinstance(event, Progress)]
    assert done
    assert done == sorted(done)
    assert all(event.total == total for event in reply.events if isinstance(event, Progress))


def test_a_reply_is_stopped_before_it_began(engine: Engine, model: LoadedModel) -> None:
    first = Reply(engine, ask(STORY, max_tokens=0))
    waiting = Reply(engine, ask("And you?", sequence="two"))
    waiting.call.cancel()
    first.wait_for(Delta)
    first.call.cancel()
    assert first.result().finish_reason == "stopped"
    try:
        assert waiting.result().completion_tokens == 0
    except Cancelled:
        assert waiting.text == ""
    waiting.check_order()


def test_the_next_turn_reads_only_what_is_new(engine: Engine, model: LoadedModel, sequence: str) -> None:
    first = Reply(engine, ask(STORY, sequence=sequence, max_tokens=16))
    facts = first.result()
    messages = [
        PromptMessage(role="user", content=STORY),
        PromptMessage(role="assistant", content=first.text, token_ids=first.token_ids, tokenizer=model.tokenizer),
        PromptMessage(role="user", content="Go on."),
    ]
    request = ask("x", max_tokens=4)
    again = Reply(engine, GenerateRequest(sequence=sequence, messages=messages, sampling=request.sampling))
    # All of the turn before is there, but for the last token, which was sampled and never decoded.
    assert again.result().cached_tokens >= facts.prompt_tokens + facts.completion_tokens - 1


# --- keeping ------------------------------------------------------------------------------------------------------


def test_what_is_kept_comes_back(engine: Engine, model: LoadedModel, sequence: str, tmp_path: Path) -> None:
    file = tmp_path / "snapshots" / "one.kv"
    request = msgspec.structs.replace(ask("Hello " * 20, sequence=sequence, max_tokens=4), snapshot=str(file))
    assert engine.keep(sequence).result(WAIT_S).size_bytes == 0
    assert engine.restore(sequence, str(file)).result(WAIT_S) == 0
    Reply(engine, request).result()
    kept = engine.keep(sequence).result(WAIT_S)
    assert kept.size_bytes == file.stat().st_size > 0
    assert engine.keep(sequence).result(WAIT_S).size_bytes == 0, "nothing has changed"
    engine.forget(sequence).result(WAIT_S)
    assert engine.restore(sequence, str(file)).result(WAIT_S) == kept.tokens > 20
    engine.forget(sequence).result(WAIT_S)
    again = Reply(engine, request).result()
    assert again.cached_tokens == again.prompt_tokens - 1, "a reply brings it back by itself"
    file.write_bytes(b"no snapshot")
    engine.forget(sequence).result(WAIT_S)
    assert engine.restore(sequence, str(file)).result(WAIT_S) == 0
    Reply(engine, request).result()
    engine.unload().result(WAIT_S)
    assert file.stat().st_size > 1000 or b"no snapshot" not in file.read_bytes(), "kept before the model goes"
    assert engine.restore(sequence, str(file)).result(WAIT_S) == 0
    assert engine.keep(sequence).result(WAIT_S).tokens == 0
    engine.forget(sequence).result(WAIT_S)


def test_what_was_read_with_an_adapter_serves_that_adapter_only(
    engine: Engine, model: LoadedModel, sequence: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    one = random.normal(0, 1, (2, 576)).astype(np.float32), random.normal(0, 1, (576, 2)).astype(np.float32)
    path = tiny_adapters.write(tmp_path / "one.gguf", {"blk.0.attn_q.weight": one})
    request = ask("Hello " * 20, sequence=sequence, max_tokens=2)

    def cached(*adapters: Adapter) -> int:
        return Reply(engine, msgspec.structs.replace(request, adapters=adapters)).result().cached_tokens

    cached()
    assert cached(Adapter(path=str(path))) == 0
    assert cached(Adapter(path=str(path))) > 20
    assert cached(Adapter(path=str(path), scale=0.5)) == 0
    with pytest.raises(AdapterMisfit, match=r"gone\.gguf is no longer there"):
        cached(Adapter(path=str(tmp_path / "gone.gguf")))
    assert cached(Adapter(path=str(path), scale=0.5)) > 20
    engine.forget(sequence).result(WAIT_S)


def test_the_same_seed_writes_the_same(engine: Engine, model: LoadedModel) -> None:
    replies = [Reply(engine, ask(STORY, sequence=name, temperature=1.0, seed=42, max_tokens=12)) for name in "ab"]
    facts = [reply.result() for reply in replies]
    assert replies[0].text == replies[1].text
    assert [fact.seed for fact in facts] == [42, 42]


def test_measuring_counts_what_a_reply_would_read(engine: Engine, model: LoadedModel) -> None:
    request = ask(STORY, max_tokens=1)
    measured = engine.measure(request.messages).result(WAIT_S)
    assert measured.total == Reply(engine, request).result().prompt_tokens
    assert len(measured.spans) == 1
    assert sum(measured.spans) <= measured.total < measured.limit < N_CTX


# --- a reply that fails ------------------------------------------------------------------------------------------


def test_a_reply_fails_without_a_model(bare: Engine) -> None:
    reply = Reply(bare, ask("Hello"))
    with pytest.raises(NoModel):
        reply.result()
    assert [type(event) for event in reply.events] == [Failed]


def test_a_prompt_that_is_too_long_says_by_how_much(engine: Engine, model: LoadedModel) -> None:
    reply = Reply(engine, ask(LONG * 2))
    with pytest.raises(PromptTooLong) as caught:
        reply.result()
    assert caught.value.numbers["n"] > caught.value.numbers["limit"] > 0
    reply.check_order()


def test_a_frame_that_is_no_command_harms_nothing(engine: Engine, model: LoadedModel) -> None:
    import msgspec

    class Dance(msgspec.Struct, frozen=True, tag="dance", tag_field="t"):
        id: int

    engine._supervisor.send(Dance(id=9999))  # type: ignore[arg-type]
    assert engine.describe().result(WAIT_S).model == model


# --- the process dies --------------------------------------------------------------------------------------------


def answers(watched: Watched, starter_model: Path) -> None:
    """The process came back by itself, without a model, and works."""
    watched.wait_for(State.STARTING, State.READY, State.DIED, State.STARTING, State.READY)
    assert watched.engine.model is None
    watched.engine.load(starter_model, OPTIONS).result(WAIT_S)
    assert Reply(watched.engine, ask("Hello", max_tokens=2)).result().completion_tokens == 2


def test_killed_while_loading(watched: Watched, starter_model: Path) -> None:
    calls: list[float] = []

    def kill(fraction: float) -> None:
        if not calls:
            watched.kill()
        calls.append(fraction)

    with pytest.raises(EngineDied) as caught:
        watched.engine.load(starter_model, OPTIONS, kill).result(WAIT_S)
    assert "SIGKILL" in caught.value.detail
    answers(watched, starter_model)


@pytest.mark.parametrize(
    ("moment", "how"),
    [("reading", "SIGKILL"), ("reading", "SIGSTOP"), ("writing", "SIGKILL"), ("writing", "SIGABRT")],
)
def test_dies_under_a_reply(watched: Watched, starter_model: Path, moment: str, how: str) -> None:
    watched.engine.load(starter_model, OPTIONS).result(WAIT_S)
    other = watched.engine.generate(ask("Another", sequence="two"))
    other.cancel()
    if moment == "reading":
        reply = Reply(watched.engine, ask(LONG))
        reply.wait_for(Started)
    else:
        reply = Reply(watched.engine, ask(STORY, max_tokens=0))
        reply.wait_for(Delta, 3)
    waiting = watched.engine.generate(ask("And another", sequence="three"))
    watched.signal(getattr(signal, how))
    with pytest.raises(EngineDied) as caught:
        reply.result()
    with pytest.raises(EngineDied):
        waiting.result(WAIT_S)
    reply.check_order()
    end = reply.events[-1]
    assert isinstance(end, Failed)
    assert end.code == "engine_died"
    assert bool(reply.text) is (moment == "writing")
    kind = {"SIGKILL": ("killed", "memory", "memory_likely"), "SIGABRT": ("aborted",), "SIGSTOP": ("hung",)}[how]
    assert watched.engine.last_exit is not None
    assert watched.engine.last_exit.kind in kind
    assert caught.value.sentence == watched.engine.last_exit.sentence
    answers(watched, starter_model)


def test_closed_under_a_reply(watched: Watched, starter_model: Path) -> None:
    watched.engine.load(starter_model, OPTIONS).result(WAIT_S)
    before = {thread.name for thread in engine_threads(watched)}
    reply = Reply(watched.engine, ask(STORY, max_tokens=0))
    reply.wait_for(Delta, 2)
    pid = watched.engine.pid
    assert pid is not None
    watched.engine.close()
    assert gone(pid)
    reply.check_order()
    try:
        assert reply.result().finish_reason == "stopped"  # it ended the reply itself, in order
    except EngineClosed:
        assert reply.text
    assert watched.engine.state is State.CLOSED
    assert watched.outcomes[-1].expected
    assert before == {"engine reader", "engine heartbeat", "engine writer", "engine stderr"}
    assert not engine_threads(watched)
    with pytest.raises(EngineClosed):
        watched.engine.describe().result(WAIT_S)
    watched.engine.close()


PARENT = """
    import json, os, signal, sys
    from pathlib import Path
    from tests.support.engines import Reply, Watched, ask
    from app.engine.protocol import Delta
    from app.engine.values import LoadOptions

    watched = Watched(json.loads(sys.argv[1]))
    watched.engine.load(Path(sys.argv[2]), LoadOptions(n_ctx=512, n_threads=1)).result(60)
    reply = Reply(watched.engine, ask("Tell me a story", max_tokens=0))
    reply.wait_for(Delta, 2)
    if sys.argv[3] == "stopped":
        watched.signal(signal.SIGSTOP)
    print(watched.engine.pid, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize(("kind", "child"), [("fake", "alive"), ("real", "alive"), ("real", "stopped")])
def test_no_process_outlives_its_parent(kind: str, child: str, starter_model: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), json.dumps(command(kind)), str(starter_model), child],
        stdout=subprocess.PIPE,
        cwd=root,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
        parent.wait()
    wait_until(lambda: gone(pid), 5)


def engine_threads(watched: Watched) -> list[threading.Thread]:
    """The threads of this engine: those that did not run before it was made."""
    return [thread for thread in threading.enumerate() if thread not in watched.threads_before]


def wait_until(condition: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
