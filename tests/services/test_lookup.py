"""Finding the messages that a reply answers, however long the conversation is."""

from __future__ import annotations

import msgspec
import pytest

from app.base.clock import now_ms
from app.base.ids import new_id
from app.chat.context import out_of_reach
from app.chat.messages import Conversation, ReplyState, Role
from app.services.lookup import FIRST_READ, Lookup, new_message
from app.services.memory import Memory
from app.store.store import Store
from tests.support.application import running

WORDS = "twenty characters..."


def history(store: Store, turns: int) -> list[str]:
    """A stored conversation of so many turns; the ids of its messages."""
    now = now_ms()
    conversation = Conversation(id=new_id(), title="Long", created_ms=now, updated_ms=now)
    ids: list[str] = []
    for turn in range(turns):
        question = new_message(conversation.id, ids[-1] if ids else None, Role.USER, WORDS)
        answer = new_message(conversation.id, question.id, Role.ASSISTANT, WORDS)
        answer = msgspec.structs.replace(answer, state=ReplyState.DONE)
        store.messages.add_turn(None if turn else conversation, question, answer).result()
        ids += [question.id, answer.id]
    return ids


@pytest.mark.parametrize("characters", [1, 1500, 8000, 10**9])
def test_the_end_of_a_long_path_leaves_out_what_the_whole_path_would(characters: int) -> None:
    with running() as (app, _):
        store = app.ground.store
        ids = history(store, 300)
        leaf_id = ids[-2]  # the last question
        lookup = Lookup(app.ground, Memory())
        whole = lookup.path("", leaf_id)
        assert [step.id for step in store.messages.steps_to(leaf_id)] == [message.id for message in whole] == ids[:-1]
        before, end = lookup.recent("", leaf_id, characters)
        assert [*(step.id for step in before), *(message.id for message in end)] == ids[:-1]
        assert end[0].role is Role.USER
        assert len(end) <= max(FIRST_READ, 4 * characters // len(WORDS) + 1)
        limit = characters // 16
        assert {*(step.id for step in before), *out_of_reach(end, limit)} == out_of_reach(whole, limit)
