"""Conversations made of values, and sending into them, which answers nothing by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from app.base.errors import InglenookError
from app.chat.messages import Conversation, Message, PathEntry, ReplyFacts, ReplyState, Role, SearchHit
from app.engine.values import Adapter, ModelFile, Sampling
from app.services.changes import ConversationsChanged, PathChanged, Publisher
from app.services.errors import NoModelFound
from app.services.sending import Choices, Sent

NOW_MS = 1_790_000_000_000


class FakeConversations:
    """Conversations as straight lists of messages; siblings share a parent and the last one is shown."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.rows: dict[str, Conversation] = {}
        self.messages: dict[str, list[Message]] = {}
        self.deleted: dict[str, Conversation] = {}
        self.drafts: dict[str, str] = {}
        self.hits: list[SearchHit] = []
        self.chosen: list[tuple[str, str]] = []
        self.configured: list[tuple[str, dict[str, Any]]] = []
        self.refuse: InglenookError | None = None
        self.other_wordings: dict[str, list[str]] = {}
        self.looked_at: list[str] = []

    def add(self, title: str, messages: list[Message] | None = None, *, id: str = "", age_ms: int = 0) -> str:
        """Adds a conversation and its messages; returns its id."""
        conversation_id = id or f"c{len(self.rows) + 1}"
        own = [msgspec.structs.replace(m, conversation_id=conversation_id) for m in messages or []]
        self.messages[conversation_id] = own
        self.rows[conversation_id] = Conversation(
            id=conversation_id,
            title=title,
            created_ms=NOW_MS - age_ms,
            updated_ms=NOW_MS - age_ms,
            leaf_id=own[-1].id if own else None,
        )
        return conversation_id

    def list(self) -> list[Conversation]:
        return sorted(self.rows.values(), key=lambda row: -row.updated_ms)

    def get(self, conversation_id: str) -> Conversation | None:
        return self.rows.get(conversation_id)

    def path(self, conversation_id: str) -> list[PathEntry]:  # type: ignore[valid-type]
        return [
            PathEntry(
                id=m.id,
                role=m.role,
                state=m.state,
                length=len(m.text),
                newlines=m.text.count("\n"),
                sibling=len(self.other_wordings.get(m.id, [])),
                siblings=len(self.other_wordings.get(m.id, [])) + 1,
            )
            for m in self.messages.get(conversation_id, [])
        ]

    def message(self, message_id: str) -> Message:
        return next(m for messages in self.messages.values() for m in messages if m.id == message_id)

    def body(self, message_id: str) -> tuple[str, str]:
        message = self.message(message_id)
        return message.text, message.thinking

    def siblings(self, message_id: str) -> list[str]:  # type: ignore[valid-type]
        return [*self.other_wordings.get(message_id, []), message_id]

    def search(self, text: str) -> list[SearchHit]:  # type: ignore[valid-type]
        if self.refuse is not None:
            raise self.refuse
        return [hit for hit in self.hits if text.lower() in (hit.snippet + hit.title).lower()]

    def _tell(self, *ids: str) -> None:
        self._publisher.publish(ConversationsChanged(ids=ids))

    def rename(self, conversation_id: str, title: str) -> None:
        self.rows[conversation_id] = msgspec.structs.replace(self.rows[conversation_id], title=title)
        self._tell(conversation_id)

    def opened(self, conversation_id: str) -> None:
        self.looked_at.append(conversation_id)

    def delete(self, conversation_id: str) -> None:
        self.deleted[conversation_id] = self.rows.pop(conversation_id)
        self._tell(conversation_id)

    def undo_delete(self, conversation_id: str) -> None:
        self.rows[conversation_id] = self.deleted.pop(conversation_id)
        self._tell(conversation_id)

    def choose(self, conversation_id: str, message_id: str) -> None:
        self.chosen.append((conversation_id, message_id))

    def configure(
        self,
        conversation_id: str,
        *,
        model_id: str | UnsetType | None = UNSET,
        system_prompt: str | UnsetType | None = UNSET,
        sampling: Sampling | UnsetType | None = UNSET,
        adapters: tuple[Adapter, ...] | UnsetType = UNSET,
    ) -> None:
        given = {"model_id": model_id, "system_prompt": system_prompt, "sampling": sampling, "adapters": adapters}
        given = {name: value for name, value in given.items() if value is not UNSET}
        self.configured.append((conversation_id, given))
        self.rows[conversation_id] = msgspec.structs.replace(self.rows[conversation_id], **given)
        self._tell(conversation_id)

    def draft(self, conversation_id: str, message_id: str = "") -> str:
        return self.drafts.get(message_id or conversation_id, "")

    def edit_draft(self, conversation_id: str) -> tuple[str, str] | None:
        edited = (message.id for message in self.messages.get(conversation_id, []) if self.drafts.get(message.id))
        return next(((message_id, self.drafts[message_id]) for message_id in edited), None)

    def set_draft(self, conversation_id: str, text: str, message_id: str = "") -> None:
        self.drafts[message_id or conversation_id] = text


@dataclass
class FakeLive:
    """A reply that is being written."""

    message_id: str
    state: ReplyState = ReplyState.WRITING


@dataclass
class FakeSending:
    """Remembers what was asked; `begin` makes the messages a send would make."""

    conversations: FakeConversations
    publisher: Publisher
    sent: list[tuple[str | None, str, Choices | None]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    regenerated: list[str] = field(default_factory=list)
    edited: list[tuple[str, str]] = field(default_factory=list)
    live: dict[str, FakeLive] = field(default_factory=dict)
    refuse: InglenookError | None = None

    def send(
        self, conversation_id: str | None, text: str, *, temporary: bool = False, choices: Choices | None = None
    ) -> Sent:
        if self.refuse is not None:
            raise self.refuse
        self.sent.append((conversation_id, text, choices))
        conversations = self.conversations
        where = conversation_id or conversations.add(text[:40])
        messages = conversations.messages[where]
        number = sum(len(m) for m in conversations.messages.values())
        parent = messages[-1].id if messages else None
        user = Message(id=f"u{number}", conversation_id=where, parent_id=parent, role=Role.USER, text=text)
        reply = Message(
            id=f"r{number}",
            conversation_id=where,
            parent_id=user.id,
            role=Role.ASSISTANT,
            text="",
            state=ReplyState.QUEUED,
        )
        messages += [user, reply]
        self.live[where] = FakeLive(reply.id)
        conversations.drafts.pop(conversation_id or "new", None)
        self.publisher.publish(ConversationsChanged(ids=(where,)))
        self.publisher.publish(PathChanged(conversation_id=where))
        return Sent(conversation_id=where, message_id=user.id, reply_id=reply.id)

    def stop(self, reply_id: str) -> None:
        self.stopped.append(reply_id)

    def regenerate(self, reply_id: str) -> str:
        self.regenerated.append(reply_id)
        return "r-again"

    def edit(self, message_id: str, text: str) -> Sent:
        self.edited.append((message_id, text))
        message = self.conversations.message(message_id)
        return Sent(conversation_id=message.conversation_id, message_id="u-edited", reply_id="r-edited")

    def live_reply(self, conversation_id: str) -> FakeLive | None:
        return self.live.get(conversation_id)


def no_model() -> NoModelFound:
    """What sending answers where there is no model."""
    return NoModelFound("There is no model yet.")


def facts(model: ModelFile, **more: Any) -> ReplyFacts:
    """The facts of a finished reply."""
    return ReplyFacts(model_id=model.id, model_name=model.name, n_ctx=8192, **more)
