"""The list, finding one, settings, drafts, and deletion in two steps."""

from __future__ import annotations

import math

import msgspec
import pytest

from app.base.ids import new_id
from app.base.paths import Places
from app.chat.messages import Conversation
from app.engine.values import Adapter, Sampling
from app.store.errors import NotFound
from app.store.store import Store
from tests.store.making import conversation, exchange, pending


def test_the_list_has_the_last_updated_first(store: Store) -> None:
    first, second, third = (conversation().id for _ in range(3))
    for age, chat in enumerate((first, second, third)):
        store.conversations.create(Conversation(id=chat, title="", created_ms=age, updated_ms=age)).result()
    assert [c.id for c in store.conversations.list()] == [third, second, first]
    store.conversations.touch(first).result()
    assert [c.id for c in store.conversations.list(limit=2)] == [first, third]


def test_a_conversation_comes_back_as_it_was_given(store: Store) -> None:
    given = conversation("Über Füchse")
    store.conversations.create(given).result()
    assert store.conversations.get(given.id) == given


def test_finding_by_last_by_id_and_by_a_unique_beginning(store: Store) -> None:
    first, second = exchange(store)[0], exchange(store)[0]
    assert store.conversations.find("last") == [second]
    differ = next(i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    for what, expected in ((first, first), (first[: differ + 1].upper(), first), (second[: differ + 1], second)):
        assert store.conversations.find(what) == [expected]
    assert sorted(store.conversations.find(first[:differ])) == sorted([first, second])
    for what in ("", "zz", new_id(), "%", "_"):
        assert store.conversations.find(what) == []


def test_what_cannot_be_read_of_a_conversation_costs_itself_only(store: Store) -> None:
    """NaN is written as null, which is no number when it is read."""
    odd = msgspec.structs.replace(
        conversation("Odd"), sampling=Sampling(top_p=math.nan), adapters=(Adapter(path="/a.gguf", scale=math.nan),)
    )
    store.conversations.create(odd).result()
    (found,) = store.conversations.list()
    assert (found.title, found.sampling, found.adapters) == ("Odd", None, ())


def test_the_title_of_a_person_stays(store: Store) -> None:
    chat = exchange(store)[0]
    store.conversations.rename(chat, "By itself", by_person=False).result()
    store.conversations.rename(chat, "Mine", by_person=True).result()
    store.conversations.rename(chat, "By itself again", by_person=False).result()
    found = store.conversations.get(chat)
    assert found is not None
    assert (found.title, found.title_by_person) == ("Mine", True)


def test_configure_changes_only_what_is_given(store: Store) -> None:
    chat = exchange(store)[0]
    sampling = Sampling(temperature=0.1, seed=7)
    store.conversations.configure(chat, model_id="m", sampling=sampling).result()
    store.conversations.configure(chat, system_prompt="Be brief.").result()
    store.conversations.configure(chat).result()
    found = store.conversations.get(chat)
    assert found is not None
    assert (found.model_id, found.system_prompt, found.sampling) == ("m", "Be brief.", sampling)
    store.conversations.configure(chat, sampling=None).result()
    found = store.conversations.get(chat)
    assert found is not None
    assert found.sampling is None


def test_what_does_not_exist_cannot_be_changed(store: Store) -> None:
    for future in (
        store.conversations.rename("x", "t", by_person=True),
        store.conversations.touch("x"),
        store.conversations.set_deleted("x", True),
        store.conversations.configure("x", model_id="m"),
    ):
        with pytest.raises(NotFound):
            future.result()


def test_a_deletion_hides_and_can_be_undone(store: Store) -> None:
    chat, _, reply = exchange(store, question="unmistakable")
    store.conversations.set_deleted(chat, True).result()
    assert store.conversations.list() == []
    assert store.conversations.get(chat) is None
    assert store.conversations.find("last") == []
    assert store.search.search("unmistakable") == []
    store.conversations.set_deleted(chat, False).result()
    assert [c.id for c in store.conversations.list()] == [chat]
    assert store.messages.body(reply)[0] == "Because."
    assert len(store.search.search("unmistakable")) == 1


def test_drafts_are_kept_for_each_place(store: Store, places: Places) -> None:
    chat = exchange(store)[0]
    store.conversations.set_draft("new", "half a thou").result()
    store.conversations.set_draft("new", "half a thought").result()
    store.conversations.set_draft(chat, "and then").result()
    assert (store.conversations.draft("new"), store.conversations.draft(chat)) == ("half a thought", "and then")
    store.conversations.set_draft("new", "").result()
    assert (store.conversations.draft("new"), store.conversations.draft(chat)) == ("", "and then")


def test_another_wording_of_a_message_is_a_draft_too(store: Store) -> None:
    chat, question, _ = exchange(store)
    assert store.conversations.edit_draft(chat) is None
    store.conversations.set_draft(chat, "at the end").result()
    store.conversations.set_draft(question, "another wor").result()
    assert store.conversations.edit_draft(chat) == (question, "another wor")
    assert store.conversations.edit_draft(exchange(store)[0]) is None
    assert store.conversations.draft(chat) == "at the end"
    store.conversations.set_draft(question, "").result()
    assert store.conversations.edit_draft(chat) is None


def test_purged_text_is_in_no_file_any_more(store: Store, places: Places) -> None:
    filler = " ".join(f"word{i}" for i in range(3000))
    gone, asked, _ = exchange(store, f"zanzibarquestion {filler}", f"zanzibaranswer {filler}", "zanzibartitle")
    stays, _, kept = exchange(store, "harmless", "harmlessanswer", "harmlesstitle")
    live, reply = pending(store, "zanzibarlive")
    store.messages.append(reply, 0, "zanzibargrowth").result()
    store.conversations.set_draft(gone, "zanzibardraft").result()
    store.conversations.set_draft(asked, "zanzibarwording").result()
    places.backups.mkdir()
    (places.backups / "inglenook-0000-1.db").write_text("zanzibarbackup")
    for chat in (gone, live):
        store.conversations.set_deleted(chat, True).result()
    assert store.conversations.purge(0).result() == []
    assert store.conversations.purge(2**62).result() == [gone, live]
    assert [c.id for c in store.conversations.list()] == [stays]
    assert store.messages.body(kept)[0] == "harmlessanswer"
    for path in places.data.rglob("*"):
        if path.is_file():
            assert b"zanzibar" not in path.read_bytes(), path.name
    assert store.check() == []
    store.close()
    assert b"zanzibar" not in places.database.read_bytes()
