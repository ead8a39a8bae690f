"""The ledger's rows."""

from __future__ import annotations

import msgspec
import pytest

from app.base.ids import new_id
from app.privacy.ledger import LedgerEntry, Outcome
from app.store import ledger
from app.store.store import Store


def entry(last_ms: int, **more: object) -> LedgerEntry:
    made = LedgerEntry(
        id=new_id(),
        action_id=new_id(),
        purpose="search",
        what="Search for “llama”",
        host="huggingface.co",
        first_ms=last_ms,
        last_ms=last_ms,
        requests=1,
        sent_bytes=600,
        received_bytes=42_000,
    )
    return msgspec.structs.replace(made, **more)


def test_entries_come_back_newest_first(store: Store) -> None:
    old, new, refused = (
        entry(1),
        entry(3, local=True),
        entry(2, outcome=Outcome.REFUSED, reason="Inglenook is offline."),
    )
    store.ledger.record([old, new, refused]).result()
    assert store.ledger.list() == [new, refused, old]
    assert store.ledger.list(2) == [new, refused]
    assert store.ledger.list(refused_only=True) == [refused]


def test_a_later_state_replaces_the_one_before(store: Store) -> None:
    first = entry(1, received_bytes=10)
    store.ledger.record([first]).result()
    later = msgspec.structs.replace(first, last_ms=9, received_bytes=90, requests=4, outcome=Outcome.FAILED, reason="x")
    store.ledger.record([later]).result()
    assert store.ledger.list() == [later]
    elsewhere = msgspec.structs.replace(first, id=new_id(), host="cdn.example")
    store.ledger.record([elsewhere]).result()
    assert store.ledger.list() == [later, elsewhere]


def test_the_same_action_and_host_keep_their_row(store: Store) -> None:
    first = entry(1)
    again = msgspec.structs.replace(first, id=new_id(), first_ms=5, last_ms=5, requests=2)
    store.ledger.record([first]).result()
    store.ledger.record([again]).result()
    assert store.ledger.list() == [msgspec.structs.replace(again, id=first.id, first_ms=1)]


def test_hostile_text_is_stored_as_it_is_or_made_storable(store: Store) -> None:
    hostile = entry(1, what="Search for “\ud800'); DROP TABLE ledger;--”", host="x" * 300)
    store.ledger.record([hostile]).result()
    (found,) = store.ledger.list()
    assert found.host == hostile.host
    assert "DROP TABLE" in found.what


def test_the_oldest_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "KEPT", 3)
    store.ledger.record([entry(n) for n in range(1, 7)]).result()
    assert [found.last_ms for found in store.ledger.list()] == [6, 5, 4]


def test_nothing_to_record(store: Store) -> None:
    store.ledger.record([]).result()
    assert store.ledger.list() == []
