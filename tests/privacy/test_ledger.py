"""Counting in memory."""

from __future__ import annotations

import pytest

from app.privacy import ledger as room
from app.privacy.ledger import Ledger, Outcome
from app.privacy.policy import Action, Purpose

ACTION = Action(id="a1", purpose=Purpose.DOWNLOAD, what="Download Llama")


def test_a_change_is_told_once_until_it_is_taken() -> None:
    told: list[int] = []
    ledger = Ledger(lambda: told.append(1))
    row = ledger.row(ACTION, "hub", local=False)
    row.began()
    row.sent(5)
    assert told == [1]
    (entry,) = ledger.take()
    assert (entry.requests, entry.sent_bytes, entry.outcome) == (1, 5, Outcome.ALLOWED)
    assert ledger.take() == []
    row.received(7)
    assert told == [1, 1]
    assert ledger.waiting() == ledger.take()


def test_the_same_action_and_host_go_on_counting() -> None:
    ledger = Ledger()
    ledger.row(ACTION, "hub", local=False).received(1)
    (before,) = ledger.take()
    ledger.row(ACTION, "hub", local=False).received(2)
    (after,) = ledger.take()
    assert (after.id, after.received_bytes) == (before.id, 3)
    assert ledger.row(ACTION, "cdn", local=False).entry.id != before.id


def test_what_was_answered_stays_allowed() -> None:
    ledger = Ledger()
    row = ledger.row(ACTION, "hub", local=False)
    row.ended_badly(Outcome.FAILED, "It broke.")
    assert row.entry.outcome is Outcome.FAILED
    row.answered()
    assert (row.entry.outcome, row.entry.reason) == (Outcome.ALLOWED, "")
    row.ended_badly(Outcome.REFUSED, "It is offline now.")
    assert (row.entry.outcome, row.entry.reason) == (Outcome.ALLOWED, "It is offline now.")


def test_what_could_not_be_written_comes_again_with_what_came_since() -> None:
    ledger = Ledger()
    row = ledger.row(ACTION, "hub", local=False)
    row.received(1)
    taken = ledger.take()
    row.received(1)
    ledger.give_back(taken)
    (entry,) = ledger.take()
    assert entry.received_bytes == 2
    ledger.give_back([entry])
    assert ledger.take() == [entry]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "KEPT_ROWS", 3)
    ledger = Ledger()
    for number in range(10):
        ledger.row(ACTION, f"host{number}", local=False).began()
    assert [entry.host for entry in ledger.take()] == ["host7", "host8", "host9"]
