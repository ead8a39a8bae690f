"""Which replies begin when."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from app.base.threads import NoRoom
from app.services.dispatch import Dispatch
from app.services.jobs import REPLY, Jobs

GUARD_S = 30.0


class Desk:
    """Replies that are written until they are let go; `begun` in the order in which they began."""

    def __init__(self, parallel: int = 4) -> None:
        self.jobs = Jobs()
        self.begun: list[str] = []
        self._ends: dict[str, threading.Event] = {}
        self._more = threading.Condition()
        self.dispatch = Dispatch(self._write, lambda turn: turn.model_id, lambda: parallel, self.jobs)

    def add(self, name: str, *, conversation: str = "", model: str = "A") -> None:
        self._ends[name] = threading.Event()
        turn: Any = SimpleNamespace(
            live=SimpleNamespace(message_id=name), conversation=SimpleNamespace(id=conversation or name), model_id=model
        )
        self.dispatch.add(turn)

    def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()

    def wait(self, *names: str) -> None:
        """Until these have begun, and nobody else."""
        with self._more:
            assert self._more.wait_for(lambda: {*self.begun} >= {*names}, GUARD_S), self.begun
            assert {*self.begun} == {*names}

    def _write(self, turn: Any) -> None:
        with self._more:
            self.begun.append(turn.live.message_id)
            self._more.notify_all()
        assert self._ends[turn.live.message_id].wait(GUARD_S)


@pytest.fixture
def desk() -> Any:
    made = Desk()
    yield made
    made.end(*made._ends)
    made.dispatch.close()
    made.jobs.close(GUARD_S)


def test_conversations_go_on_together_and_each_in_order(desk: Desk) -> None:
    desk.add("one", conversation="a")
    desk.add("two", conversation="a")
    desk.add("three", conversation="b")
    desk.wait("one", "three")
    desk.end("one")
    desk.wait("one", "two", "three")


def test_a_turn_for_another_model_waits_and_is_not_overtaken(desk: Desk) -> None:
    desk.add("first")
    desk.wait("first")
    desk.add("other", model="B")
    desk.add("late")
    desk.add("later")
    desk.wait("first")
    desk.end("first")
    desk.wait("first", "other")
    desk.end("other")
    desk.wait("first", "other", "late", "later")
    assert desk.begun[:2] == ["first", "other"]


def test_no_more_at_a_time_than_wished_and_one_taken_back_never_begins() -> None:
    desk = Desk(parallel=2)
    for name in ("one", "two", "three", "four"):
        desk.add(name)
    desk.wait("one", "two")
    assert desk.dispatch.take_back("three") is not None
    assert desk.dispatch.take_back("one") is None
    desk.end("one")
    desk.wait("one", "two", "four")
    desk.end("two", "three", "four")
    desk.dispatch.close()
    desk.jobs.close(GUARD_S)


def test_without_a_further_thread_replies_are_written_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    start = desk.jobs.start

    def crowded(name: str, run: Any) -> None:
        if name == REPLY:
            raise NoRoom("No room.")
        start(name, run)

    def full(name: str, run: Any) -> None:
        raise NoRoom("No room.")

    monkeypatch.setattr(desk.jobs, "start", full)
    with pytest.raises(NoRoom):
        desk.add("refused")
    monkeypatch.setattr(desk.jobs, "start", crowded)
    desk.add("a")
    desk.add("b")
    desk.wait("a")
    desk.end("a", "b")
    desk.wait("a", "b")
    desk.dispatch.close()
    desk.jobs.close()
