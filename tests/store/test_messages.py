"""The tree, bodies, growth and facts."""

from __future__ import annotations

import pytest

from app.base.ids import new_id
from app.chat.messages import PathEntry, ReplyFacts, ReplyState, Role
from app.engine.hardware import DeviceShare
from app.engine.values import Adapter, GenerationFacts, Sampling
from app.store.errors import AlreadyFinished, NotFound, StoreMisuse
from app.store.store import Store
from tests.store.making import asked, conversation, exchange, pending, reply_to

FACTS = ReplyFacts(
    model_id="m1",
    model_name="Smol",
    sampling=Sampling(seed=3, top_k=1),
    system_prompt="Be kind.",
    n_ctx=4096,
    generation=GenerationFacts(
        prompt_tokens=30,
        cached_tokens=12,
        completion_tokens=4,
        prompt_s=0.25,
        decode_s=0.5,
        ttft_s=0.3,
        seed=2**32 - 1,
        finish_reason="stop",
    ),
    tokenizer="abc",
    token_ids=[0, 1, 151_935, 2**31 - 1],
    thinking_s=1.5,
    left_out=["a", "b"],
    devices=(DeviceShare(name="CPU", kind="cpu", weights_bytes=7, kv_bytes=2, compute_bytes=1, layers=3),),
    adapters=(Adapter(path="/models/plain-words.gguf", scale=0.5),),
    error_code="c",
    error_sentence="s",
    error_detail="d",
)


def test_a_turn_is_there_at_once_with_its_leaf_and_without_its_draft(store: Store) -> None:
    new = conversation("Sky")
    user = asked(new.id, None, "Why is\nthe sky blue?")
    reply = reply_to(user)
    store.conversations.set_draft("new", "Why is the sk").result()
    store.messages.add_turn(new, user, reply).result()
    assert store.messages.path(new.id) == [
        PathEntry(id=user.id, role=Role.USER, state=ReplyState.DONE, length=20, newlines=1, sibling=0, siblings=1),
        PathEntry(
            id=reply.id, role=Role.ASSISTANT, state=ReplyState.QUEUED, length=0, newlines=0, sibling=0, siblings=1
        ),
    ]
    found = store.conversations.get(new.id)
    assert found is not None
    assert (found.title, found.leaf_id) == ("Sky", reply.id)
    assert store.conversations.draft("new") == ""
    assert store.messages.get_many([reply.id, user.id]) == [reply, user]


def test_a_turn_that_fails_leaves_nothing_behind(store: Store) -> None:
    new = conversation()
    user = asked(new.id, None)
    wrong = reply_to(asked(new.id, None))  # its parent is not stored
    store.conversations.set_draft("new", "kept").result()
    with pytest.raises(NotFound):
        store.messages.add_turn(new, user, wrong).result()
    assert store.conversations.list() == []
    assert store.conversations.draft("new") == "kept"
    with pytest.raises(NotFound):
        store.messages.get(user.id)


def test_an_edit_keeps_the_draft_when_asked(store: Store) -> None:
    chat, _, _ = exchange(store)
    store.conversations.set_draft(chat, "in the composer").result()
    edited = asked(chat, None, "Why not?")
    store.messages.add_turn(None, edited, reply_to(edited), clear_draft=False).result()
    assert store.conversations.draft(chat) == "in the composer"
    assert [entry.siblings for entry in store.messages.path(chat)] == [2, 1]


def test_a_parent_from_another_conversation_is_refused(store: Store) -> None:
    _, _, foreign = exchange(store)
    chat, _, _ = exchange(store)
    user = asked(chat, foreign)
    with pytest.raises(NotFound):
        store.messages.add_turn(None, user, reply_to(user)).result()


def test_a_reply_grows_in_pieces_that_may_repeat_and_overlap(store: Store) -> None:
    chat, reply = pending(store)
    store.messages.set_state(reply, ReplyState.WRITING).result()
    pieces = [(0, "one\n"), (4, "tw"), (4, "two "), (4, "tw"), (0, "one\n"), (6, "o three")]
    for offset, text in pieces:
        store.messages.append(reply, offset, text).result()
    store.messages.append(reply, 0, "hm", thinking=True).result()
    assert store.messages.body(reply) == ("one\ntwo three", "hm")
    assert store.messages.get(reply).text == "one\ntwo three"
    entry = store.messages.path(chat)[-1]
    assert (entry.state, entry.length, entry.newlines) == (ReplyState.WRITING, 13, 1)


def test_the_final_text_is_written_once(store: Store) -> None:
    chat, reply = pending(store)
    store.messages.append(reply, 0, "begin").result()
    store.messages.finish(reply, "beginning\nend", "thought", ReplyState.STOPPED, FACTS).result()
    stored = store.messages.get(reply)
    assert (stored.text, stored.thinking, stored.state, stored.facts) == (
        "beginning\nend",
        "thought",
        ReplyState.STOPPED,
        FACTS,
    )
    assert store.messages.path(chat)[-1].length == 13
    store.messages.finish(reply, "beginning\nend", "thought", ReplyState.STOPPED, FACTS).result()
    for late in (
        store.messages.finish(reply, "other", "", ReplyState.DONE, None),
        store.messages.append(reply, 5, "more"),
        store.messages.set_state(reply, ReplyState.WRITING),
    ):
        with pytest.raises(AlreadyFinished):
            late.result()
    assert store.messages.body(reply)[0] == "beginning\nend"


def test_the_facts_a_reply_began_with_stay(store: Store) -> None:
    new = conversation()
    user = asked(new.id, None)
    reply = reply_to(user, facts=FACTS)
    store.messages.add_turn(new, user, reply).result()
    store.messages.finish(reply.id, "x", "", ReplyState.DONE, None).result()
    assert store.messages.get(reply.id).facts == FACTS


def test_states_that_end_and_states_that_do_not(store: Store) -> None:
    _, reply = pending(store)
    with pytest.raises(ValueError, match="ends a reply"):
        store.messages.set_state(reply, ReplyState.DONE)
    with pytest.raises(ValueError, match="does not end"):
        store.messages.finish(reply, "", "", ReplyState.WRITING, None)
    new = conversation()
    live_question = asked(new.id, None)
    with pytest.raises(StoreMisuse):
        store.messages.add_reply(reply_to(live_question)).result()


def test_regenerating_adds_a_sibling_and_choosing_shows_it_with_what_follows(store: Store) -> None:
    chat, first, answer = exchange(store)
    second = asked(chat, answer, "And?")
    follow = reply_to(second, "So.", ReplyState.DONE)
    store.messages.add_turn(None, second, follow).result()
    other = reply_to(store.messages.get(first), "Otherwise.", ReplyState.DONE)
    store.messages.add_reply(other).result()
    assert [e.id for e in store.messages.path(chat)] == [first, other.id]
    assert (store.messages.path(chat)[1].sibling, store.messages.path(chat)[1].siblings) == (1, 2)
    assert store.messages.siblings(other.id) == [answer, other.id]
    store.messages.choose(chat, answer).result()
    assert [e.id for e in store.messages.path(chat)] == [first, answer, second.id, follow.id]
    assert [m.id for m in store.messages.prompt_path(other.id)] == [first, other.id]
    assert [m.text for m in store.messages.prompt_path(follow.id, last=2)] == ["And?", "So."]
    assert store.messages.siblings(first) == [first]


def test_roots_of_two_conversations_are_no_siblings(store: Store) -> None:
    (a, root_a, _), (_, root_b, _) = exchange(store), exchange(store)
    again = asked(a, None, "Other beginning")
    store.messages.add_turn(None, again, reply_to(again)).result()
    assert store.messages.siblings(root_a) == [root_a, again.id]
    assert store.messages.siblings(root_b) == [root_b]
    assert store.messages.path(a)[0].sibling == 1


def test_what_does_not_exist(store: Store) -> None:
    chat, _, reply = exchange(store)
    missing = new_id()
    for read in (store.messages.get, store.messages.body, store.messages.siblings, store.messages.prompt_path):
        with pytest.raises(NotFound):
            read(missing)
    with pytest.raises(NotFound):
        store.messages.get_many([reply, missing])
    assert store.messages.get_many([]) == []
    assert store.messages.path(missing) == []
    for write in (
        store.messages.append(missing, 0, "x"),
        store.messages.finish(missing, "x", "", ReplyState.DONE, None),
        store.messages.choose(chat, missing),
        store.messages.choose(missing, reply),
    ):
        with pytest.raises(NotFound):
            write.result()


@pytest.mark.parametrize(
    "text", ["", "a\0b\nc", "half \ud83d pair", "🦊\u0301\u200d", "'; DROP TABLE messages; --", "\r\n\n"]
)
def test_odd_text_survives_in_its_length(store: Store, text: str) -> None:
    chat, user, reply = exchange(store, text, text)
    expected = text.replace("\ud83d", "\ufffd")
    assert store.messages.body(user) == (expected, "")
    assert store.messages.get(reply).text == expected
    assert {(e.length, e.newlines) for e in store.messages.path(chat)} == {(len(text), text.count("\n"))}


def test_a_deep_conversation(store: Store) -> None:
    """Deeper than SQLite's limits on nested triggers and expressions."""
    new = conversation()
    parent: str | None = None
    last = None
    for i in range(520):
        user = asked(new.id, parent, f"question {i}")
        reply = reply_to(user, f"answer {i}", ReplyState.DONE)
        last = store.messages.add_turn(new if i == 0 else None, user, reply)
        parent = reply.id
    assert last is not None
    last.result()
    path = store.messages.path(new.id)
    assert len(path) == 1040
    assert [m.text for m in store.messages.prompt_path(path[-1].id)][::519] == [
        "question 0",
        "answer 259",
        "question 519",
    ]
    store.messages.choose(new.id, path[0].id).result()
    assert store.messages.path(new.id)[-1].id == parent
    store.conversations.set_deleted(new.id, True).result()
    assert store.conversations.purge(2**62).result() == [new.id]
