"""Conversations that go to the disk and come back: what goes on from there is what would have gone on in memory.

Equal means bit-equal logits: a restored sequence decodes its next tokens in the same slices as one that never left.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.base.threads import NoRoom
from app.engine.protocol import (
    NOTE,
    TERMINAL,
    Finished,
    Forget,
    Forgotten,
    Generate,
    Keep,
    Kept,
    Restore,
    Restored,
    Shutdown,
    Started,
    Unload,
    Unloaded,
)
from app.engine.protocol import Loaded as LoadedEvent
from app.engine.values import PromptMessage, Sampling
from app.engine.worker import saving as saving_room
from app.engine.worker import state
from tests.end_to_end.places import small_disk
from tests.engine.worker.process import LoopHere, Reply, Talk, WorkerProcess, user

KINDS = ("dense", "sliding", "recurrent", "hybrid")
LONG = "the hound in the den and the wind over the water " * 12
MORE = "and the other hound"
N_BATCH = 128

Tiny = Callable[[str], Path]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "snapshots" / "a.kv"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """States of tiny models go in several parts, as those of real ones do."""
    monkeypatch.setattr(state, "PART_BYTES", 32 * 1024)


@pytest.fixture
def second() -> Iterator[LoopHere]:
    """Another loop: the application after a restart."""
    here = LoopHere()
    yield here
    here.close()


def load(talk: Talk, path: Path, **options: Any) -> None:
    assert isinstance(talk.load(path, n_batch=N_BATCH, n_ubatch=N_BATCH, **options), LoadedEvent)


def begin(talk: Talk, messages: list[PromptMessage], file: Path | str, sequence: str = "a", **more: Any) -> int:
    fields = {key: more.pop(key) for key in ("shift", "snapshot_limit") if key in more}
    sampling = Sampling(**{"temperature": 0.0, "max_tokens": 12, **more})
    request = talk.next_id()
    fields |= {"snapshot": str(file), "guess": False}  # guessing slices a reply in other ways
    talk.send(Generate(id=request, sequence=sequence, messages=messages, sampling=sampling, **fields))
    return request


def write(talk: Talk, messages: list[PromptMessage], file: Path | str, sequence: str = "a", **more: Any) -> Reply:
    return talk.finish(begin(talk, messages, file, sequence, **more))


def keep(talk: Talk, sequence: str = "a") -> Kept:
    event = talk.ask(Keep(id=talk.next_id(), sequence=sequence))
    assert isinstance(event, Kept)
    return event


def restore(talk: Talk, file: Path, sequence: str = "a") -> int:
    event = talk.ask(Restore(id=talk.next_id(), sequence=sequence, snapshot=str(file)))
    assert isinstance(event, Restored)
    return event.tokens


def forget(talk: Talk, sequence: str = "a") -> None:
    assert isinstance(talk.ask(Forget(id=talk.next_id(), sequence=sequence)), Forgotten)


def logits(here: LoopHere) -> list[float]:
    return here.loaded.context.logits(-1)  # type: ignore[no-any-return]


def kept_conversation(here: LoopHere, model: Path, file: Path, **options: Any) -> list[PromptMessage]:
    """Two turns: the first one is written and kept, the second asked. Returns what the second one is asked with."""
    load(here, model, **options)
    messages = [user(LONG)]
    first = write(here, messages, file)
    assert keep(here).size_bytes == file.stat().st_size
    return [*messages, here.said(first), user(MORE)]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_back_is_what_never_left(
    kind: str, tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere
) -> None:
    messages = kept_conversation(loop_here, tiny(kind), file)
    stayed = write(loop_here, messages, file)
    expected = logits(loop_here)

    load(second, tiny(kind))
    tokens = restore(second, file)
    came = write(second, messages, file)
    assert came.facts.cached_tokens == stayed.facts.cached_tokens == tokens > 100
    assert came.ids == stayed.ids
    assert logits(second) == expected, "bit for bit"


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_brings_its_conversation_back_by_itself(
    kind: str, tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere
) -> None:
    messages = kept_conversation(loop_here, tiny(kind), file)
    stayed = write(loop_here, messages, file)
    load(second, tiny(kind), n_seq_max=3)
    for name in ("b", "c"):
        begin(second, [user(LONG + name)], "", name)
    came = write(second, messages, file)
    assert came.facts.cached_tokens == stayed.facts.cached_tokens > 100


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_wrong_with_a_file_is_as_if_it_were_not_there(
    kind: str, tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere, capfd: pytest.CaptureFixture[str]
) -> None:
    """Cut short, flipped, of another model: read anew, with a line, and the right answer."""
    messages = kept_conversation(loop_here, tiny(kind), file)
    loop_here.ask(Unload(id=loop_here.next_id()))
    load(loop_here, tiny(kind))
    cold = write(loop_here, messages, "")
    whole = file.read_bytes()
    source = random.Random(kind)
    load(second, tiny(kind))
    for _ in range(8):
        place = source.randrange(len(whole))
        cut = whole[:place] if source.random() < 0.5 else b"".join((whole[:place], b"\x5a\xa5", whole[place + 2 :]))
        if cut == whole:
            continue
        file.write_bytes(cut)
        capfd.readouterr()
        tokens = restore(second, file)
        assert tokens == 0 or (kind != "dense" and place > len(whole) // 4), "a state of an earlier turn may be lost"
        assert f"{NOTE}the snapshot a.kv is not used: " in capfd.readouterr().err
        forget(second)
    file.write_bytes(whole)
    load(second, tiny({"dense": "sliding", "sliding": "dense"}.get(kind, "dense")))
    assert restore(second, file) == 0
    assert "of another model, build or setting" in capfd.readouterr().err
    load(second, tiny(kind))
    file.write_bytes(whole[: len(whole) // 4])
    came = write(second, messages, file)
    assert (came.facts.cached_tokens, came.ids) == (0, cold.ids)
    assert keep(second).size_bytes > 0, "it is written anew"


@pytest.mark.usefixtures("small_parts")
def test_the_parts_before_a_flipped_byte_are_used(
    tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere
) -> None:
    messages = kept_conversation(loop_here, tiny("dense"), file)
    stayed = write(loop_here, messages, file)
    data = bytearray(file.read_bytes())
    data[-100] ^= 16
    file.write_bytes(data)
    load(second, tiny("dense"))
    tokens = restore(second, file)
    assert 0 < tokens < stayed.facts.cached_tokens
    came = write(second, messages, file)
    assert came.facts.cached_tokens == tokens
    assert came.ids == stayed.ids


def test_other_settings_other_build_other_types(
    tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_conversation(loop_here, tiny("dense"), file)
    load(second, tiny("dense"), type_k="bf16", type_v="bf16")
    assert restore(second, file) == 0
    load(second, tiny("dense"), n_ctx=256)
    assert restore(second, file) == 0, "it does not fit the window"
    load(second, tiny("dense"), n_cells=4096, n_ctx=2048, n_seq_max=3)
    assert restore(second, file) > 0, "neither window nor places matter"
    monkeypatch.setattr("app.engine.worker.seat.llama.build", lambda: "another one")
    load(second, tiny("dense"))
    assert restore(second, file) == 0


def test_tokens_that_do_not_fit_the_state_are_not_believed(
    tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header of fewer or more tokens than the state has positions."""
    original = saving_room.Header

    def wrong(**fields: Any) -> Any:
        return original(**{**fields, "tokens": fields["tokens"][:-1], "ends": [fields["ends"][-1] - 1]})

    monkeypatch.setattr(saving_room, "Header", wrong)
    for kind in KINDS:
        kept_conversation(loop_here, tiny(kind), file)
        load(second, tiny(kind))
        assert restore(second, file) == 0, kind
        assert second.loaded.context.last_position(0) == -1


def test_only_what_changed_is_written(tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere) -> None:
    messages = kept_conversation(loop_here, tiny("dense"), file)
    assert keep(loop_here).size_bytes == 0
    assert keep(loop_here, "unknown") == Kept(id=loop_here._last, tokens=0)
    load(second, tiny("dense"))
    restore(second, file)
    assert keep(second).size_bytes == 0
    write(second, messages, file)
    assert keep(second).size_bytes > 0


def test_a_conversation_that_must_leave_is_kept_first(tiny: Tiny, tmp_path: Path, loop_here: LoopHere) -> None:
    files = {name: tmp_path / f"{name}.kv" for name in "abc"}
    load(loop_here, tiny("dense"), n_seq_max=2)
    first = {name: write(loop_here, [user(f"{name} {LONG}")], files[name], name) for name in "abc"}
    (gone,) = [name for name in "abc" if loop_here.loaded.sequences.find(name) is None]
    assert files[gone].exists()
    messages = [user(f"{gone} {LONG}"), loop_here.said(first[gone]), user(MORE)]
    again = write(loop_here, messages, files[gone], gone)
    assert again.facts.cached_tokens == first[gone].facts.prompt_tokens + 11


@pytest.mark.parametrize("how", ["unload", "load", "stop"])
def test_what_the_model_takes_with_it_is_kept(how: str, tiny: Tiny, tmp_path: Path, loop_here: LoopHere) -> None:
    files = {name: tmp_path / f"{name}.kv" for name in "ab"}
    load(loop_here, tiny("dense"), n_seq_max=3)
    for name in "ab":
        write(loop_here, [user(f"{name} {LONG}")], files[name], name)
    write(loop_here, [user(LONG)], "", "temporary")
    if how == "unload":
        assert isinstance(loop_here.ask(Unload(id=loop_here.next_id())), Unloaded)
    elif how == "load":
        load(loop_here, tiny("recurrent"))
    else:
        loop_here.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.kv", "b.kv"]


def test_the_end_of_the_process_keeps_and_is_bounded(tiny: Tiny, file: Path, worker: WorkerProcess) -> None:
    load(worker, tiny("dense"))
    first = write(worker, [user(LONG)], file)
    begun = time.monotonic()
    worker.send(Shutdown())
    assert worker.wait() == 0
    assert time.monotonic() - begun < 20
    again = WorkerProcess()
    try:
        load(again, tiny("dense"))
        assert restore(again, file) == first.facts.prompt_tokens + 11
    finally:
        again.close()


def test_what_is_gone_leaves_nothing(tiny: Tiny, file: Path, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    write(loop_here, [user(LONG)], file)
    forget(loop_here)
    assert loop_here.loaded.context.last_position(0) == -1
    write(loop_here, [user(LONG)], "", "temporary")
    assert keep(loop_here, "temporary").size_bytes == 0
    request = begin(loop_here, [user(LONG)], file, max_tokens=400)
    list(loop_here.events_of(request, until=lambda event: isinstance(event, Started)))
    forget(loop_here)
    loop_here.finish(request)
    loop_here.close()
    assert not file.exists()


def test_one_that_is_too_large_is_not_written(
    tiny: Tiny, file: Path, loop_here: LoopHere, capfd: pytest.CaptureFixture[str]
) -> None:
    load(loop_here, tiny("dense"))
    write(loop_here, [user(LONG)], file, snapshot_limit=1000)
    assert keep(loop_here).size_bytes == 0
    assert "are more than the 1,000 there is room for" in capfd.readouterr().err
    assert not file.exists()


def test_a_full_disk_costs_only_the_speed(
    tiny: Tiny, tmp_path: Path, loop_here: LoopHere, capfd: pytest.CaptureFixture[str]
) -> None:
    loop_here.loop._snapshots._pen.reserve_bytes = 0
    with small_disk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("nothing can be mounted here")
        file = disk.folder / "a.kv"
        load(loop_here, tiny("dense"))
        messages = [user(LONG)]
        first = write(loop_here, messages, file)
        disk.fill()
        assert keep(loop_here).size_bytes == 0
        assert "was not written" in capfd.readouterr().err
        assert [one.name for one in disk.folder.iterdir()] == ["ballast"]
        messages += [loop_here.said(first), user(MORE)]
        assert write(loop_here, messages, file).facts.cached_tokens > 100, "memory has it all the same"
        disk.free()
        assert keep(loop_here).size_bytes > 0


@pytest.mark.usefixtures("small_parts")
def test_a_thread_that_the_system_refuses_costs_only_the_speed(
    tiny: Tiny, file: Path, loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: object) -> None:
        raise NoRoom("No thread is left.")

    monkeypatch.setattr("app.engine.worker.asking.start_thread", refused)
    load(loop_here, tiny("dense"))
    assert isinstance(write(loop_here, [user(LONG)], file).end, Finished)
    assert keep(loop_here).size_bytes == 0
    assert isinstance(write(loop_here, [user(LONG)], file, "b").end, Finished)
    assert not file.exists()


def test_traces_of_what_rolled_out_come_back_as_traces(
    tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere
) -> None:
    """A shifted cache must not pass for a clean one after a restart."""
    load(loop_here, tiny("dense"))
    system = PromptMessage(role="system", content="the wind")
    messages = [system, user("first " + LONG)]
    first = write(loop_here, messages, file)
    middle = [loop_here.said(first), user("second " + LONG)]
    answer = write(loop_here, [*messages, *middle], file)
    rolled = [system, middle[1], loop_here.said(answer), user(MORE)]
    shifted = write(loop_here, rolled, file, shift=True, max_tokens=4)
    assert shifted.facts.shifted_tokens > 0
    assert keep(loop_here).size_bytes > 0
    load(second, tiny("dense"))
    assert restore(second, file) > 0
    with_traces = write(second, rolled, file, shift=True, max_tokens=1)
    assert with_traces.facts.cached_tokens == with_traces.facts.prompt_tokens - 1
    without = write(second, rolled, file, shift=False, max_tokens=1)
    assert without.facts.cached_tokens < 100


@pytest.mark.usefixtures("small_parts")
def test_others_go_on_while_one_is_kept_and_brought_back(tiny: Tiny, file: Path, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"), n_seq_max=3)
    write(loop_here, [user(LONG)], file)
    streams = {begin(loop_here, [user(MORE + name)], "", name, max_tokens=300) for name in ("b", "c")}
    ended: dict[int, Any] = {}

    def until(request: int) -> Any:
        while request not in ended:
            event = loop_here.next_event()
            if isinstance(event, TERMINAL):
                ended[event.id] = event
        return ended[request]

    kept, gone, restored = (loop_here.next_id() for _ in range(3))
    loop_here.send(Keep(id=kept, sequence="a"))
    tokens = until(kept).tokens
    loop_here.send(Forget(id=gone, sequence="a"))
    loop_here.send(Restore(id=restored, sequence="a", snapshot=str(file)))
    assert until(restored).tokens == tokens > 100
    assert all(isinstance(until(stream), Finished) for stream in streams)


def test_a_kill_while_it_is_written_costs_only_the_speed(
    worker: WorkerProcess, file: Path, starter_model: Path
) -> None:
    """The real engine, killed at some moment of a saving: what lies there is whole or not there."""
    source = random.Random(3)
    messages = [user(LONG)]
    load(worker, starter_model, n_ctx=512)
    length = worker.measure(messages)
    for _ in range(3):
        killed = WorkerProcess()
        try:
            load(killed, starter_model, n_ctx=512)
            write(killed, messages, file, max_tokens=2)
            killed.send(Keep(id=killed.next_id(), sequence="a"))
            spin(lambda: any(file.parent.glob("*.part")) or file.exists(), 30.0)
            spin(lambda: False, source.uniform(0.0, 0.012))
            killed.process.send_signal(signal.SIGKILL)
        finally:
            killed.close()
        assert restore(worker, file) in (0, length + 1)
        forget(worker)


def spin(true: Callable[[], bool], at_most_s: float) -> None:
    """Looks without a pause: what is waited for takes milliseconds."""
    deadline = time.perf_counter() + at_most_s
    while not true() and time.perf_counter() < deadline:
        pass


def test_who_comes_in_waits_until_the_one_that_leaves_is_kept(
    tiny: Tiny, tmp_path: Path, loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else waits for the disk then: when the cells are given away, all is written."""
    files = {name: tmp_path / f"{name}.kv" for name in "abc"}
    load(loop_here, tiny("dense"), n_seq_max=2)
    dirty: list[bool] = []
    sequences = loop_here.loaded.sequences
    leave = sequences.on_leave

    def on_leave(slot: Any) -> None:
        dirty.append(slot.dirty)
        leave(slot)

    monkeypatch.setattr(sequences, "on_leave", on_leave)
    for name in "abcabc":
        write(loop_here, [user(f"{name} {LONG}")], files[name], name)
    assert dirty
    assert not any(dirty)


def test_what_will_not_fit_much_longer_is_kept_ahead(tiny: Tiny, file: Path, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"), n_ctx=512, n_cells=512, n_seq_max=2)
    write(loop_here, [user(LONG)], file)
    request = loop_here.next_id()
    loop_here.send(Keep(id=request, sequence="nobody"))
    list(loop_here.events_of(request))
    while not file.exists():
        assert keep(loop_here, "nobody").size_bytes == 0


@pytest.mark.parametrize("kind", KINDS)
def test_regenerating_after_a_restart_goes_back_a_turn(
    kind: str, tiny: Tiny, file: Path, loop_here: LoopHere, second: LoopHere
) -> None:
    """Memory that cannot be taken back comes with the states that it had at the last turns."""
    messages = kept_conversation(loop_here, tiny(kind), file)
    write(loop_here, messages, file)
    assert keep(loop_here).size_bytes > 0
    stayed = write(loop_here, messages, "", max_tokens=1)
    expected = logits(loop_here)
    load(second, tiny(kind))
    assert restore(second, file) > 400
    came = write(second, messages, file, max_tokens=1)
    assert came.facts.cached_tokens > 400
    if came.facts.cached_tokens == stayed.facts.cached_tokens:  # a window in memory reaches a little further back
        assert logits(second) == expected
    else:
        assert kind == "sliding"
    edited = [*messages[:-1], user("but another hound")]
    assert write(second, edited, file).facts.cached_tokens > 400
