"""Short ways to make conversations and messages."""

from __future__ import annotations

from app.base.clock import now_ms
from app.base.ids import new_id
from app.chat.messages import Conversation, Message, ReplyFacts, ReplyState, Role
from app.store.store import Store


def conversation(title: str = "A title") -> Conversation:
    now = now_ms()
    return Conversation(id=new_id(), title=title, created_ms=now, updated_ms=now)


def asked(conversation_id: str, parent_id: str | None, text: str = "Why?") -> Message:
    return Message(
        id=new_id(),
        conversation_id=conversation_id,
        parent_id=parent_id,
        role=Role.USER,
        text=text,
        created_ms=now_ms(),
    )


def reply_to(
    message: Message, text: str = "", state: ReplyState = ReplyState.QUEUED, facts: ReplyFacts | None = None
) -> Message:
    return Message(
        id=new_id(),
        conversation_id=message.conversation_id,
        parent_id=message.id,
        role=Role.ASSISTANT,
        text=text,
        state=state,
        created_ms=now_ms(),
        facts=facts,
    )


def exchange(
    store: Store, question: str = "Why?", answer: str = "Because.", title: str = "A title"
) -> tuple[str, str, str]:
    """A stored conversation of one finished turn: ids of conversation, question and answer."""
    new = conversation(title)
    user = asked(new.id, None, question)
    reply = reply_to(user)
    store.messages.add_turn(new, user, reply).result()
    store.messages.finish(reply.id, answer, "", ReplyState.DONE, None).result()
    return new.id, user.id, reply.id


def pending(store: Store, question: str = "Why?") -> tuple[str, str]:
    """A stored conversation whose reply is live: ids of conversation and reply."""
    new = conversation()
    user = asked(new.id, None, question)
    reply = reply_to(user)
    store.messages.add_turn(new, user, reply).result()
    return new.id, reply.id
