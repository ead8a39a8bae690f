"""What is found, what is not, and that the index follows every change."""

from __future__ import annotations

import pytest

from app.chat.messages import ReplyState
from app.store.store import Store
from tests.store.making import exchange, pending


def found(store: Store, text: str) -> list[str | None]:
    return [hit.message_id for hit in store.search.search(text)]


def test_words_in_any_order_the_last_one_unfinished(store: Store) -> None:
    _, user, reply = exchange(store, "Why is the sky blue?", "Rayleigh scattering.", "Colours")
    assert found(store, "blue sky") == [user]
    assert found(store, "sky bl") == [user]
    assert found(store, "bl sky") == []
    assert found(store, "SCATTER") == [reply]
    assert found(store, "colo") == [None]
    assert found(store, "sky scattering") == []


def test_accents_and_case_do_not_matter(store: Store) -> None:
    _, user, _ = exchange(store, "Où est le CAFÉ, Łódź, Straße, Ελλάδα, Москва?")
    for text in ("cafe", "café", "CAFE\u0301", "ou est", "ελλάδα", "москва", "straße"):
        assert found(store, text) == [user], text


def test_scripts_without_spaces_are_found_inside(store: Store) -> None:
    _, user, reply = exchange(store, "为什么天空是蓝色的？", "レイリー散乱 is the reason. ท้องฟ้าสีฟ้า", "天空の話")
    assert found(store, "天空") == [None, user]
    assert found(store, "蓝色") == [user]
    assert found(store, "散乱 reason") == [reply]
    assert found(store, "สีฟ้า") == [reply]
    assert found(store, "散乱 nothing") == []
    (hit,) = store.search.search("蓝色")
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["蓝色"]


QUERY_LIKE = ['"', "'", "AND", "NOT sky", "a OR b", "text:sky", "sky*", "^sky", "NEAR(a b)", "(", "-", "%", "sky AND"]


@pytest.mark.parametrize("text", [*QUERY_LIKE, '"sky', "\0", " ", "{a} : b"])
def test_nothing_a_person_types_is_a_query_language(store: Store, text: str) -> None:
    exchange(store, "the sky")
    store.search.search(text)


def test_query_words_are_words(store: Store) -> None:
    _, user, _ = exchange(store, "this AND that, near-by OR not")
    for text in ("AND", "OR", "not", "near-by", "nearby that", '"that"', "- that"):
        assert found(store, text) == ([] if text == "nearby that" else [user]), text


def test_snippets_are_plain_text_with_marks(store: Store) -> None:
    before, after = "word " * 200, " word" * 200
    exchange(store, f"{before}\nthe needle\tis here{after}")
    (hit,) = store.search.search("needle")
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["needle"]
    assert len(hit.snippet) < 400
    assert "\n" not in hit.snippet
    assert hit.snippet.isprintable()


def test_titles_first_then_the_newest_messages_and_no_more_than_asked(store: Store) -> None:
    old, new = exchange(store, "apples"), exchange(store, "apples")
    titled = exchange(store, "pears", title="Apples")
    hits = store.search.search("apples")
    assert [hit.message_id for hit in hits] == [None, new[1], old[1]]
    assert hits[0].conversation_id == titled[0]
    assert [hit.message_id for hit in store.search.search("apples", limit=2)] == [None, new[1]]


def test_the_index_follows_titles_replies_and_branches(store: Store) -> None:
    chat, reply = pending(store, "first")
    store.messages.append(reply, 0, "growing words").result()
    assert found(store, "growing") == []
    store.messages.finish(reply, "growing words ended", "secret thoughts", ReplyState.DONE, None).result()
    assert found(store, "growing") == [reply]
    assert found(store, "thoughts") == []
    store.conversations.rename(chat, "Renamed", by_person=True).result()
    assert found(store, "renamed") == [None]
    assert found(store, "title") == []
    store.conversations.touch(chat).result()
    assert found(store, "renamed") == [None]
    store.conversations.set_deleted(chat, True).result()
    store.conversations.purge(2**62).result()
    for text in ("growing", "renamed", "first"):
        assert found(store, text) == []
    assert store.check() == []  # compares the index with the texts


def test_half_a_surrogate_pair_is_looked_for_without_a_fault(store: Store) -> None:
    _, user, _ = exchange(store, "a\udcffb")
    assert found(store, "a\udcffb") == [user]
    assert store.conversations.find("\udcff") == []
