"""LoRA adapters over a model: their effect is the computed one, and nothing read with some serves others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.errors import AdapterMisfit
from app.engine.protocol import Code, Keep, Measure, Measured, Restore
from app.engine.values import Adapter, PromptMessage
from app.engine.worker import steps
from tests.engine.worker.control import LONG, N_BATCH, apart, load, logits
from tests.engine.worker.process import LoopHere, Reply, WorkerProcess, failed, user
from tests.support import tiny_adapters, tiny_models
from tests.support.rpc import rpc_worker

Tiny = Callable[[str], Path]
VOCABULARY = len(tiny_models.SPECIAL) + 256 + len(tiny_models.MERGES)
SAME = 0.05  # merged and laid over, the same numbers are added in another order; one adapter changes logits by 8


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two adapters, and models with both merged in at some scale."""
    folder = tmp_path_factory.mktemp("adapters")
    first = tiny_adapters.pairs(vocabulary=VOCABULARY)
    second = tiny_adapters.pairs(targets=("attn_k", "attn_output", "ffn_up"), seed=8, strength=0.2)
    tiny_adapters.write(folder / "first.gguf", first)
    tiny_adapters.write(folder / "second.gguf", second)
    tiny_models.dense(folder / "half.gguf", deltas=tiny_adapters.deltas(first, 0.5))
    both = tiny_adapters.deltas(first) | tiny_adapters.deltas(second, 0.5)
    tiny_models.dense(folder / "both.gguf", deltas=both)
    return folder


def laid(folder: Path, **scales: float) -> tuple[Adapter, ...]:
    return tuple(Adapter(path=str(folder / f"{name}.gguf"), scale=scale) for name, scale in scales.items())


def read(here: LoopHere, adapters: tuple[Adapter, ...] = (), sequence: str = "a") -> list[float]:
    """The logits after a prompt that nothing in memory helps with."""
    here.write([user(f"{sequence} {LONG}")], sequence=sequence, max_tokens=1, adapters=adapters)
    return logits(here)


def test_what_an_adapter_does_is_what_merging_it_does(tiny: Tiny, made: Path, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    plain = read(loop_here)
    half = read(loop_here, laid(made, first=0.5))
    both = read(loop_here, laid(made, first=1.0, second=0.5))
    assert apart(plain, half) > 1 < apart(half, both)
    assert apart(read(loop_here, laid(made, second=0.5, first=1.0)), both) < SAME, "their order does not matter"
    load(loop_here, made / "half.gguf")
    assert apart(read(loop_here), half) < SAME
    load(loop_here, made / "both.gguf")
    assert apart(read(loop_here), both) < SAME


def test_with_a_scale_of_nothing_an_adapter_is_not_there(tiny: Tiny, made: Path, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    plain = read(loop_here)
    read(loop_here, laid(made, first=1.0))
    assert read(loop_here, laid(made, first=0.0)) == plain, "bit for bit"
    read(loop_here, laid(made, first=1.0))
    assert read(loop_here) == plain, "and once it is gone"


@pytest.mark.parametrize("kind", ["dense", "sliding"])
def test_only_what_was_read_with_the_same_adapters_is_used_again(
    kind: str, tiny: Tiny, made: Path, loop_here: LoopHere, tmp_path: Path
) -> None:
    architecture = "llama" if kind == "dense" else "gemma2"
    for name in ("first", "second"):
        tiny_adapters.write(tmp_path / f"{name}.gguf", tiny_adapters.pairs(seed=len(name)), architecture=architecture)
    load(loop_here, tiny(kind), n_seq_max=2)
    messages = [user(LONG)]
    one, other = laid(tmp_path, first=1.0), laid(tmp_path, first=0.75)

    def cached(adapters: tuple[Adapter, ...], sequence: str = "a") -> int:
        return loop_here.write(messages, sequence=sequence, max_tokens=1, adapters=adapters).facts.cached_tokens

    def measured(adapters: tuple[Adapter, ...]) -> int:
        event = loop_here.ask(Measure(id=loop_here.next_id(), messages=messages, sequence="a", adapters=adapters))
        assert isinstance(event, Measured)
        return event.cached

    assert cached(()) == 0
    assert measured(()) > 300
    assert measured(one) == 0
    assert cached(one) == 0, "none before"
    assert cached(one) == measured(one) > 300
    assert cached(other) == 0, "another scale"
    assert cached((*other, *laid(tmp_path, second=1.0))) == 0, "one more"
    assert cached(one) == 0
    assert cached((), "b") == 0, "of another conversation too"
    assert cached(one, "b") > 300, "which may be shared where they are equal"


def test_replies_with_different_adapters_are_written_at_once_and_each_is_its_own(
    tiny: Tiny, made: Path, loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(loop_here, tiny("dense"), n_seq_max=3)
    sets = {"a": (), "b": laid(made, first=1.0), "c": laid(made, second=1.5)}
    alone = {name: loop_here.write([user(name + LONG)], sequence=name, adapters=sets[name]) for name in sets}
    assert len({reply.text for reply in alone.values()}) == 3
    load(loop_here, tiny("dense"), n_seq_max=3)
    monkeypatch.setattr(steps, "SLICE", 4096)  # the prompts are read in the same slices as alone
    begun = {loop_here.begin([user(name + LONG)], sequence=name, adapters=sets[name]): name for name in sets}
    events: dict[int, list[tuple[float, object]]] = {number: [] for number in begun}
    open_requests = set(begun)
    while open_requests:
        at, event = loop_here.inbox.get(timeout=60)
        events[event.id].append((at, event))  # type: ignore[union-attr]
        if type(event).__name__ in ("Finished", "Failed"):
            open_requests.discard(event.id)  # type: ignore[union-attr]
    replies = {begun[number]: Reply(found) for number, found in events.items()}
    assert {name: reply.ids for name, reply in replies.items()} == {name: reply.ids for name, reply in alone.items()}
    first_words = max(reply.times[reply.events.index(reply.started)] for reply in replies.values())
    assert all(reply.times[-1] > first_words for reply in replies.values()), "all of them were under way together"


def test_a_snapshot_serves_the_same_adapters_only(tiny: Tiny, made: Path, loop_here: LoopHere, tmp_path: Path) -> None:
    file = tmp_path / "a.kv"
    one, other = laid(made, first=1.0), laid(made, first=0.5)
    load(loop_here, tiny("dense"))
    messages: list[PromptMessage] = [user(LONG)]
    messages += [loop_here.said(loop_here.write(messages, snapshot=str(file), adapters=one)), user("and then")]
    loop_here.ask(Keep(id=loop_here.next_id(), sequence="a"))
    stayed = loop_here.write(messages, adapters=one, max_tokens=1)
    expected = logits(loop_here)

    def restored(adapters: tuple[Adapter, ...]) -> int:
        load(loop_here, tiny("dense"))
        command = Restore(id=loop_here.next_id(), sequence="a", snapshot=str(file), adapters=adapters)
        return int(loop_here.ask(command).tokens)

    assert restored(()) == 0
    assert restored(other) == 0
    assert restored(laid(made, nothing=1.0)) == 0, "a file that is gone"
    assert restored(one) == stayed.facts.cached_tokens > 300
    again = loop_here.write(messages, adapters=one, max_tokens=1)
    assert again.facts.cached_tokens == stayed.facts.cached_tokens
    assert logits(loop_here) == expected, "bit for bit"
    load(loop_here, tiny("dense"))
    assert loop_here.write(messages, snapshot=str(file), adapters=other, max_tokens=1).facts.cached_tokens == 0
    load(loop_here, tiny("dense"))
    asked = loop_here.write(messages, snapshot=str(file), adapters=other, max_tokens=1)
    assert asked.facts.cached_tokens > 300, "the file is now that of the other scale"


def test_what_is_typed_is_read_ahead_with_the_adapters(tiny: Tiny, made: Path, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    one, messages = laid(made, first=1.0), [user(LONG)]
    loop_here.ask(Measure(id=loop_here.next_id(), messages=messages, sequence="a", ahead=True, adapters=one))
    while loop_here.loop._ahead.name:
        loop_here.ask(Measure(id=loop_here.next_id(), messages=messages, sequence="a"))
    assert loop_here.write(messages, max_tokens=1, adapters=one).facts.cached_tokens > 300


def test_another_file_under_the_same_name_is_another_adapter(tiny: Tiny, loop_here: LoopHere, tmp_path: Path) -> None:
    load(loop_here, tiny("dense"))
    one = laid(tmp_path, mine=1.0)
    tiny_adapters.write(tmp_path / "mine.gguf", tiny_adapters.pairs(seed=1))
    before = read(loop_here, one)
    tiny_adapters.write(tmp_path / "new.gguf", tiny_adapters.pairs(seed=2)).replace(tmp_path / "mine.gguf")
    assert apart(before, read(loop_here, one)) > 1
    assert len(loop_here.loaded.adapters._handles) == 2
    read(loop_here, (), "a")
    tiny_adapters.write(tmp_path / "new.gguf", tiny_adapters.pairs(seed=3)).replace(tmp_path / "mine.gguf")
    read(loop_here, one)
    assert len(loop_here.loaded.adapters._handles) == 1, "nothing needs the old ones"


def test_an_adapter_lies_where_the_layers_do(
    tiny: Tiny, made: Path, loop_here: LoopHere, worker: WorkerProcess
) -> None:
    load(loop_here, tiny("dense"))
    messages, one = [user(LONG)], laid(made, first=1.0)
    here = loop_here.write(messages, adapters=one)
    with rpc_worker() as there:
        loaded = worker.load(tiny("dense"), n_batch=N_BATCH, n_ubatch=N_BATCH, rpc=(there.endpoint,)).model
        assert loaded.n_gpu_layers == loaded.n_layer + 1
        plain = worker.write(messages)
        assert worker.write(messages, adapters=one).ids == here.ids != plain.ids


def test_a_misfit_ends_the_reply_and_nothing_else(tiny: Tiny, made: Path, loop_here: LoopHere, tmp_path: Path) -> None:
    load(loop_here, tiny("sliding"))
    tiny_adapters.write(tmp_path / "tied.gguf", tiny_adapters.pairs(vocabulary=VOCABULARY), architecture="gemma2")
    for folder, name, reason in (
        (made, "first", AdapterMisfit.ARCHITECTURE),
        (tmp_path, "tied", AdapterMisfit.TIED),
        (tmp_path, "nowhere", AdapterMisfit.MISSING),
        (made, "half", AdapterMisfit.OTHER),
    ):
        asked = loop_here.begin([user("hello")], adapters=laid(folder, **{name: 1.0}))
        event = failed(loop_here.finish(asked).end, Code.ADAPTER_MISFIT)
        assert event.detail.splitlines()[:2] == [reason, f"{name}.gguf"]
    assert loop_here.write([user("hello")]).facts.completion_tokens > 0
