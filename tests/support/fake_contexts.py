"""What a model would see, made of values: messages as they are, a token for every four characters, marks as wished."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

import msgspec

from app.base.errors import InglenookError
from app.chat.context_view import ContextEntry, ContextView, Mark, Policy, Standing
from app.chat.messages import Message
from app.services.changes import ContextChanged, Publisher

INSTRUCTIONS = 32
RESERVE = 512


class ConversationsLike(Protocol):
    """Where the messages are."""

    messages: dict[str, list[Message]]

    def message(self, message_id: str) -> Message: ...


class FakeContexts:
    """A view is `views[conversation]` if one was put there, else it is made of the messages. `hold`: futures wait in
    `waiting` instead of being answered at once."""

    def __init__(self, conversations: ConversationsLike, publisher: Publisher, limit: Callable[[], int]) -> None:
        self._conversations = conversations
        self._publisher = publisher
        self._limit = limit
        self.views: dict[str, ContextView] = {}
        self.seen: dict[str, ContextView] = {}
        self.marks: dict[str, Mark] = {}
        self.policies: dict[str, Policy] = {}
        self.asked: list[tuple[str, str]] = []
        self.called: list[tuple[str, object]] = []
        self.refuse: InglenookError | None = None
        self.hold = False
        self.waiting: list[Future[ContextView]] = []

    def view(self, conversation_id: str, draft: str = "") -> Future[ContextView]:
        self.asked.append((conversation_id, draft))
        future: Future[ContextView] = Future()
        if self.hold:
            self.waiting.append(future)
        else:
            future.set_result(self.now(conversation_id, draft))
        return future

    def now(self, conversation_id: str, draft: str = "") -> ContextView:
        """The view of this moment."""
        put = self.views.get(conversation_id)
        if put is not None:
            return msgspec.structs.replace(put, policy=self.policies.get(conversation_id, put.policy))
        entries = [_entry("", "instructions", "system", 0, "", INSTRUCTIONS, Standing.KEPT)]
        turn = 0
        for message in self._conversations.messages.get(conversation_id, []):
            turn += message.role == "user"
            mark = self.marks.get(message.id)
            standing = {Mark.PINNED: Standing.PINNED, Mark.LEFT_OUT: Standing.OUTSIDE, None: Standing.KEPT}[mark]
            text = " ".join(message.text.split())[:80]
            entries.append(_entry(message.id, "message", message.role, turn, text, len(message.text) // 4, standing))
        if draft:
            entries.append(_entry("", "message", "user", turn + 1, draft[:80], max(1, len(draft) // 4), Standing.KEPT))
        return ContextView(
            conversation_id=conversation_id,
            model_name="SmolLM2-135M-Instruct",
            limit=self._limit(),
            used=sum(entry.tokens for entry in entries),
            reserve=RESERVE,
            entries=tuple(entries),
            policy=self.policies.get(conversation_id, Policy.ROLLING),
            exact=True,
        )

    def seen_by(self, reply_id: str) -> Future[ContextView]:
        future: Future[ContextView] = Future()
        if self.refuse is not None:
            future.set_exception(self.refuse)
        else:
            of = self._conversations.message(reply_id).conversation_id
            future.set_result(self.seen.get(reply_id) or self.now(of))
        return future

    def _do(self, verb: str, what: object, conversation_id: str) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.called.append((verb, what))
        self._publisher.publish(ContextChanged(conversation_id=conversation_id))

    def _of(self, message_id: str) -> str:
        return self._conversations.message(message_id).conversation_id

    def pin(self, message_id: str) -> None:
        self._mark("pin", message_id, Mark.PINNED)

    def leave_out(self, message_id: str) -> None:
        self._mark("leave_out", message_id, Mark.LEFT_OUT)

    def _mark(self, verb: str, message_id: str, mark: Mark) -> None:
        if self.refuse is None:
            self.marks[message_id] = mark
        self._do(verb, message_id, self._of(message_id))

    def unmark(self, message_id: str) -> None:
        self.marks.pop(message_id, None)
        self._do("unmark", message_id, self._of(message_id))

    def set_policy(self, conversation_id: str, policy: Policy) -> None:
        if self.refuse is None:
            self.policies[conversation_id] = policy
        self._do("set_policy", policy, conversation_id)

    def summarise(self, conversation_id: str) -> None:
        self._do("summarise", conversation_id, conversation_id)

    def stop_summarising(self, conversation_id: str) -> None:
        self._do("stop_summarising", conversation_id, conversation_id)

    def set_note(self, conversation_id: str, text: str) -> None:
        self._do("set_note", text, conversation_id)

    def remove_note(self, conversation_id: str) -> None:
        self._do("remove_note", conversation_id, conversation_id)

    def leave_out_oldest(self, conversation_id: str) -> None:
        self._do("leave_out_oldest", conversation_id, conversation_id)

    def grow(self, conversation_id: str, n_ctx: int) -> None:
        self._do("grow", n_ctx, conversation_id)


def _entry(
    message_id: str, kind: str, role: str, turn: int, excerpt: str, tokens: int, standing: Standing
) -> ContextEntry:
    return ContextEntry(
        message_id=message_id,
        kind=kind,
        role=role,
        turn=turn,
        excerpt=excerpt,
        standing=standing,
        tokens=tokens if standing.seen else 0,
        own_tokens=tokens,
    )
