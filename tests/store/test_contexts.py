"""Marks on messages, notes of old turns, and what is kept of what a reply saw."""

from __future__ import annotations

import msgspec
import pytest

from app.base.clock import now_ms
from app.base.ids import new_id
from app.chat.context_view import Mark, Note, Policy
from app.chat.messages import PathStep, ReplyFacts, ReplyState, Role
from app.engine.values import GenerationFacts
from app.store.errors import NotFound
from app.store.store import Store
from tests.store.making import asked, conversation, exchange, reply_to


def test_marks(store: Store) -> None:
    chat, question, reply = exchange(store)
    other, elsewhere, _ = exchange(store)
    assert store.contexts.marks(chat) == {}
    store.contexts.set_marks([question, reply], Mark.PINNED).result()
    store.contexts.set_marks([elsewhere], Mark.PINNED).result()
    store.contexts.set_marks([reply], Mark.LEFT_OUT).result()
    assert store.contexts.marks(chat) == {question: Mark.PINNED, reply: Mark.LEFT_OUT}
    assert store.contexts.marks(other) == {elsewhere: Mark.PINNED}
    store.contexts.set_marks([question, reply], None).result()
    assert store.contexts.marks(chat) == {}
    with pytest.raises(NotFound):
        store.contexts.set_marks([question, new_id()], Mark.PINNED).result()
    assert store.contexts.marks(chat) == {}  # all or nothing


def test_notes(store: Store) -> None:
    chat, question, reply = exchange(store)
    note = Note(id=new_id(), conversation_id=chat, upto_id=reply, text="They greeted.", created_ms=now_ms())
    store.contexts.set_note(note).result()
    assert store.contexts.notes(chat) == [note]
    edited = msgspec.structs.replace(note, text="We greeted.\0", by_person=True, after_id=question)
    store.contexts.set_note(edited).result()
    (found,) = store.contexts.notes(chat)
    assert found == msgspec.structs.replace(edited, text=found.text)
    assert found.text.startswith("We greeted.")
    store.contexts.remove_note(note.id).result()
    store.contexts.remove_note(note.id).result()
    assert store.contexts.notes(chat) == []
    for broken in ({"upto_id": new_id()}, {"after_id": new_id()}, {"conversation_id": new_id()}):
        with pytest.raises(NotFound):
            store.contexts.set_note(msgspec.structs.replace(note, **broken)).result()


def test_policy(store: Store) -> None:
    chat, _, _ = exchange(store)
    store.conversations.configure(chat, policy=Policy.ASK).result()
    found = store.conversations.get(chat)
    assert found is not None
    assert found.policy is Policy.ASK
    new = msgspec.structs.replace(conversation(), policy=Policy.SUMMARISE)
    store.conversations.create(new).result()
    assert store.conversations.get(new.id) == new


def test_everything_goes_with_its_conversation(store: Store) -> None:
    chat, question, reply = exchange(store)
    store.contexts.set_marks([question], Mark.PINNED).result()
    store.contexts.set_note(Note(id=new_id(), conversation_id=chat, upto_id=reply, text="secret")).result()
    store.conversations.set_deleted(chat, True).result()
    assert store.conversations.purge(2**62).result() == [chat]
    assert store.contexts.marks(chat) == {}
    assert store.contexts.notes(chat) == []
    assert store.check() == []


def test_what_a_reply_saw_is_kept(store: Store) -> None:
    chat, _, reply = exchange(store)
    facts = ReplyFacts(
        model_id="m",
        n_ctx=512,
        generation=GenerationFacts(
            prompt_tokens=30, cached_tokens=20, completion_tokens=4, prompt_s=0.25, decode_s=0.5, ttft_s=0.3, seed=1,
            finish_reason="stop", shifted_tokens=5, dropped_tokens=6, drafted_tokens=7, accepted_tokens=3,
        ),
        left_out=["c"],
        first_kept="b",
        kept_before=["a"],
        trimmed=12,
        note="They greeted.",
        reread_tokens=6,
    )  # fmt: skip
    again = reply_to(store.messages.get(reply), state=ReplyState.QUEUED)
    again = msgspec.structs.replace(again, conversation_id=chat, parent_id=store.messages.get(reply).parent_id)
    store.messages.add_reply(again).result()
    store.messages.finish(again.id, "Because.", "", ReplyState.DONE, facts).result()
    assert store.messages.get(again.id).facts == facts


def test_steps_of_a_path_and_the_reply_before(store: Store) -> None:
    chat, question, reply = exchange(store, "Why?", "Because.")
    user = asked(chat, reply, "And?")
    answer = reply_to(user)
    store.messages.add_turn(None, user, answer).result()
    assert store.messages.steps_to(user.id) == [
        PathStep(question, Role.USER, 4), PathStep(reply, Role.ASSISTANT, 8), PathStep(user.id, Role.USER, 4),
    ]  # fmt: skip
    assert store.messages.reply_before(answer.id) == reply
    assert store.messages.reply_before(reply) is None
    branch = reply_to(store.messages.get(question))
    store.messages.add_reply(branch).result()
    assert store.messages.reply_before(branch.id) == answer.id  # on whatever branch
