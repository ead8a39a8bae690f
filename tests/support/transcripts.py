"""Conversations in memory, for tests of the transcript."""

from __future__ import annotations

from itertools import count

import msgspec

from app.chat.messages import Message, PathEntry, ReplyFacts, ReplyState, Role
from app.engine.values import GenerationFacts

FACTS = ReplyFacts(
    model_name="Qwen3 8B",
    generation=GenerationFacts(
        prompt_tokens=300, cached_tokens=0, completion_tokens=412, prompt_s=0.3, decode_s=10.76, ttft_s=0.4, seed=1,
        finish_reason="stop",
    ),
)  # fmt: skip


class Conversations:
    """One conversation, "c", as a list of messages that tests change; `siblings_of` adds versions by message id."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.siblings_of: dict[str, list[str]] = {}
        self.read: list[str] = []
        self._ids = count()

    def add(
        self,
        role: Role,
        text: str,
        *,
        thinking: str = "",
        state: ReplyState = ReplyState.DONE,
        facts: ReplyFacts | None = None,
    ) -> str:
        """Appends a message; returns its id."""
        message_id = f"m{next(self._ids):05}"
        parent = self.messages[-1].id if self.messages else None
        self.messages.append(
            Message(
                id=message_id,
                conversation_id="c",
                parent_id=parent,
                role=role,
                text=text,
                thinking=thinking,
                state=state,
                facts=facts,
            )
        )
        return message_id

    def ask(self, text: str) -> str:
        """Appends a question."""
        return self.add(Role.USER, text)

    def answer(self, text: str, **more: object) -> str:
        """Appends a reply."""
        more.setdefault("facts", FACTS)
        return self.add(Role.ASSISTANT, text, **more)  # type: ignore[arg-type]

    def change(self, message_id: str, **fields: object) -> None:
        """Replaces fields of a message."""
        for i, message in enumerate(self.messages):
            if message.id == message_id:
                self.messages[i] = msgspec.structs.replace(message, **fields)

    def path(self, conversation_id: str) -> list[PathEntry]:
        return [
            PathEntry(
                id=m.id, role=m.role, state=m.state, length=len(m.text), newlines=m.text.count("\n"),
                sibling=self.siblings(m.id).index(m.id), siblings=len(self.siblings(m.id)),
            )
            for m in self.messages
        ]  # fmt: skip

    def message(self, message_id: str) -> Message:
        self.read.append(message_id)
        return next(m for m in self.messages if m.id == message_id)

    def body(self, message_id: str) -> tuple[str, str]:
        found = next(m for m in self.messages if m.id == message_id)
        return found.text, found.thinking

    def siblings(self, message_id: str) -> list[str]:
        return self.siblings_of.get(message_id, [message_id])
