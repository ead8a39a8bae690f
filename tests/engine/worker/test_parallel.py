"""Several replies in one context: who gets how much of a batch, what stopping does, and what happens without room."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.engine.protocol import Delta, Finished, Progress, Started
from app.engine.worker.slots import Slot
from app.engine.worker.steps import SLICE
from tests.engine.worker.control import CLOSE, KINDS, LONG, N_BATCH, Control, load, prompt_of
from tests.engine.worker.process import LoopHere, Reply, user

MUCH = "the hound in the den and the wind over the water " * 60


class Batches:
    """Every batch of a loop that was decoded: how many tokens of each slot."""

    def __init__(self, here: LoopHere) -> None:
        self.all: list[dict[int, int]] = []
        context = here.loaded.context
        clear, add, decode = context.clear_batch, context.add, context.decode
        now: dict[int, int] = {}

        def cleared() -> None:
            now.clear()
            clear()

        def added(slot: int, tokens: list[int], position: int, *, output: bool) -> Any:
            now[slot] = len(tokens)
            return add(slot, tokens, position, output=output)

        def decoded() -> Any:
            status = decode()
            if status == 0:
                self.all.append(dict(now))
            return status

        context.clear_batch, context.add, context.decode = cleared, added, decoded


def endless(here: LoopHere) -> None:
    """Replies of the loaded model do not end by themselves."""
    here.loaded.vocabulary.piece = lambda token: b"x"


def until(here: LoopHere, kind: type, request: int) -> list[tuple[float, Any]]:
    """All events up to the first of that kind and request."""
    seen: list[tuple[float, Any]] = []
    while True:
        at, event = here.inbox.get(timeout=60)
        seen.append((at, event))
        if isinstance(event, kind) and getattr(event, "id", 0) == request:
            return seen


def all_of(here: LoopHere, requests: list[int], seen: list[tuple[float, Any]] | None = None) -> dict[int, Reply]:
    """Every reply to its end."""
    events: dict[int, list[tuple[float, Any]]] = {request: [] for request in requests}
    for at, event in seen or []:
        events[event.id].append((at, event))
    while not all(found and isinstance(found[-1][1], Finished) for found in events.values()):
        at, event = here.inbox.get(timeout=60)
        events[getattr(event, "id", 0)].append((at, event))
    return {request: Reply(found) for request, found in events.items()}


def test_slices_are_full_alone_and_short_while_somebody_writes(
    tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    load(loop_here, tiny("dense"), n_seq_max=2)
    endless(loop_here)
    batches = Batches(loop_here)
    writer = loop_here.begin([user(LONG)], sequence="a", max_tokens=1500)
    seen = until(loop_here, Delta, writer)
    assert [sum(batch.values()) for batch in batches.all[:2]] == [N_BATCH, N_BATCH]
    reader = loop_here.begin([user(MUCH)], sequence="b", max_tokens=4)
    replies = all_of(loop_here, [writer, reader], seen)
    both = [batch for batch in batches.all if len(batch) == 2 and max(batch.values()) > 1]
    assert len(both) > 10
    assert all(batch[0] == 1 and sum(batch.values()) <= SLICE for batch in both)
    assert sum(sum(batch.values()) == SLICE for batch in both) >= len(both) - 1
    assert all(0 in batch for batch in batches.all), "the writer was in each until it ended"
    assert len(replies[writer].ids) == 1500


def test_those_who_read_take_turns(tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"), n_seq_max=3, n_cells=8192)
    endless(loop_here)
    batches = Batches(loop_here)
    writer = loop_here.begin([user(LONG)], sequence="w", max_tokens=1500)
    seen = until(loop_here, Delta, writer)
    first = loop_here.begin([user("a " + MUCH)], sequence="a", max_tokens=1)
    second = loop_here.begin([user("b " + MUCH)], sequence="b", max_tokens=1)
    all_of(loop_here, [writer, first, second], seen)
    turns = [max(batch, key=lambda slot: batch[slot]) for batch in batches.all if max(batch.values()) > 1]
    both = turns[turns.index(2) : len(turns) - turns[::-1].index(1)]
    assert len(both) > 20
    # The last slice of one may be short, and the other then gets the rest of its room.
    assert all(one != other for one, other in pairwise(both[:-2]))


@pytest.mark.parametrize("kind", KINDS)
def test_replies_in_one_batch_are_close_to_replies_alone(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    """Every token drawn together with others is one that a reader of the same text, alone, finds best or as good."""
    load(loop_here, tiny(kind), n_seq_max=4)
    asked = {f"{number}": [user(f"{number} " + LONG[: 90 * number])] for number in range(1, 5)}
    requests = [loop_here.begin(messages, sequence=name, max_tokens=30) for name, messages in asked.items()]
    replies = all_of(loop_here, requests)
    for request, messages in zip(requests, asked.values(), strict=True):
        control = Control(tiny(kind))
        row = control.read(prompt_of(loop_here, messages))
        for token in replies[request].ids:
            assert row[token] > max(row) - 2 * CLOSE
            row = control.read([token])
        control.close()


def test_stopping_one_of_several_aborts_nothing(tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"), n_seq_max=2)
    endless(loop_here)
    aborts: list[int] = []
    switch, loop = loop_here.loop._abort.set, loop_here.loop
    loop._abort.set = lambda: (aborts.append(1), switch())[1]  # type: ignore[method-assign,func-returns-value] # a spy
    one = loop_here.begin([user(LONG)], sequence="a", max_tokens=1500)
    two = loop_here.begin([user(LONG)], sequence="b", max_tokens=1500)
    seen = until(loop_here, Delta, two)
    loop.cancel(two)
    replies = all_of(loop_here, [one, two], seen)
    assert replies[two].facts.finish_reason == "stopped"
    assert len(replies[one].ids) == 1500
    assert aborts == []
    slots = loop_here.loaded.sequences.slots
    assert [loop_here.loaded.context.last_position(slot.index) + 1 for slot in slots] == [s.n_past for s in slots]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_idle_makes_room(kind: str, tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    load(loop_here, tiny(kind), n_ctx=512, n_cells=768, n_seq_max=3)
    assert loop_here.model_now.n_cells == 768
    left: list[tuple[str, int]] = []
    loop_here.loaded.sequences.on_leave = lambda slot: left.append((slot.name, slot.n_past))
    for name in "abc":
        reply = loop_here.write([user(name + " " + LONG[:400])], sequence=name, max_tokens=9)
        assert reply.facts.completion_tokens == 9
    grown = loop_here.write([user("c " + LONG[:400]), loop_here.said(reply), user(LONG[:200])], sequence="c")
    assert grown.facts.cached_tokens > 200
    if kind != "recurrent":  # which has no cells
        assert left
        assert left[0][0] == "a"
        assert left[0][1] > 250


@pytest.mark.parametrize("kind", ["dense", "sliding", "hybrid"])
def test_without_room_the_oldest_go_on_and_the_newest_wait(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    """Four that fit one by one, in cells for two: all are written, and what they read is their own text."""
    load(loop_here, tiny(kind), n_ctx=512, n_cells=512, n_seq_max=4)
    asked = {name: [user(f"{name} {LONG[:300]}")] for name in "abcd"}
    requests = [loop_here.begin(messages, sequence=name, max_tokens=150) for name, messages in asked.items()]
    replies = all_of(loop_here, requests)
    for request, messages in zip(requests, asked.values(), strict=True):
        assert replies[request].facts.finish_reason in ("length", "stop")
        control = Control(tiny(kind))
        row = control.read(prompt_of(loop_here, messages))
        for token in replies[request].ids:
            assert row[token] > max(row) - 2 * CLOSE
            row = control.read([token])
        control.close()
    ends = [replies[request].times[-1] for request in requests]
    assert ends == sorted(ends)
    assert not loop_here.loaded.sequences.slots[0].busy


def test_a_reply_that_waits_for_cells_can_be_stopped(tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"), n_ctx=512, n_cells=512, n_seq_max=2)
    endless(loop_here)
    one = loop_here.begin([user(LONG[:300])], sequence="a", max_tokens=250)
    two = loop_here.begin([user("b " + LONG[:300])], sequence="b", max_tokens=300)
    seen = until(loop_here, Started, two)
    sequences = loop_here.loaded.sequences
    suspend = sequences.suspend

    def suspended(slot: Slot) -> None:
        suspend(slot)
        loop_here.loop.cancel(two)

    sequences.suspend = suspended
    replies = all_of(loop_here, [one, two], seen)
    assert replies[two].facts.finish_reason == "stopped"
    assert replies[one].facts.completion_tokens == 250


@pytest.mark.parametrize("status", [-2, -3, 1])
def test_a_failed_decode_leaves_the_book_in_order(
    status: int, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    load(loop_here, tiny("dense"), n_seq_max=2)
    decode, context = loop_here.loaded.context.decode, loop_here.loaded.context
    left = iter(range(4))
    context.decode = lambda: decode() if next(left, None) is not None else status
    ended = loop_here.ask_all([loop_here.begin([user(LONG)], sequence=name, max_tokens=50) for name in "ab"])
    assert {event.code for event in ended} <= {"out_of_memory", "decode_failed"}
    context.decode = decode
    for slot in loop_here.loaded.sequences.slots:
        assert context.last_position(slot.index) + 1 == slot.n_past == len(slot.tokens)
        assert not slot.busy
    assert loop_here.write([user(LONG)], sequence="a", max_tokens=5).facts.completion_tokens == 5


def test_progress_of_both_arrives_in_turn(tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"), n_seq_max=2)
    requests = [loop_here.begin([user(f"{name} {MUCH}")], sequence=name, max_tokens=1) for name in "ab"]
    replies = all_of(loop_here, requests)

    def reading(request: int) -> Iterator[tuple[float, int]]:
        reply = replies[request]
        return (
            (at, request) for at, event in zip(reply.times, reply.events, strict=True) if isinstance(event, Progress)
        )

    order = [request for _, request in heapq.merge(*map(reading, requests))]
    begun = order.index(requests[1])
    assert begun < 4
    shared = order[begun : len(order) - order[::-1].index(requests[0])]
    assert all(one != other for one, other in pairwise(shared))
