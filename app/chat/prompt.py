"""Makes the messages of a prompt from the path of a conversation. Only selection and order; rendering is the engine's.

Thinking of earlier replies is not included: it left when the question after it was asked. The sampled tokens of a reply
go along when they are exactly its text, so that the engine finds its cache again without tokenising the text a second
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from app.chat.messages import Message, ReplyState, Role
from app.engine.values import PromptMessage

INSTRUCTIONS = ""
NOTE = "note"
NOTE_HEADING = "Summary of the earlier part of this conversation:\n"
GAP = "[…]"
"""What stands for a question that is not sent while its answer is: templates insist on turns."""


class Part(NamedTuple):
    """What of a prompt's message is made of: the id of a message, INSTRUCTIONS or NOTE, and how many characters."""

    id: str
    characters: int


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """The messages, and beside each what it was made of."""

    messages: list[PromptMessage]
    parts: list[tuple[Part, ...]]

    def tokens(self, spans: Sequence[int]) -> dict[str, int]:
        """Tokens by id, from those of each message of the prompt; joined ones share theirs by their length."""
        found: dict[str, int] = {}
        for parts, span in zip(self.parts, spans, strict=True):
            whole = sum(part.characters for part in parts) or 1
            given = done = 0
            for part in parts:
                done += part.characters
                upto = span * done // whole
                found[part.id] = found.get(part.id, 0) + upto - given
                given = upto
            found[parts[-1].id] += span - given
        return found


def build_prompt(path: Sequence[Message], system_prompt: str = "", *, note: str = "") -> Prompt:
    """The prompt for the reply after the last message of `path` (root first), which may have gaps.

    `note` follows the instructions, in the same message, which every template takes. Replies without an answer (stopped
    before their first word, failed) are skipped, and a question is joined with the one before it when no reply stands
    between them, because many templates insist on alternating roles.
    """
    messages: list[PromptMessage] = []
    parts: list[tuple[Part, ...]] = []
    system = [(INSTRUCTIONS, system_prompt.strip()), (NOTE, f"{NOTE_HEADING}{note.strip()}" if note.strip() else "")]
    said = [(owner, text) for owner, text in system if text]
    if said:
        messages.append(PromptMessage(role="system", content="\n\n".join(text for _, text in said)))
        parts.append(tuple(Part(owner, len(text)) for owner, text in said))
    for message in path:
        if is_silent(message):
            continue
        part = Part(message.id, len(message.text))
        if message.role is Role.USER and messages and messages[-1].role == "user":
            joined = f"{messages[-1].content}\n\n{message.text}"
            messages[-1] = PromptMessage(role="user", content=joined)
            parts[-1] = (*parts[-1], part)
            continue
        if message.role is Role.ASSISTANT and (not messages or messages[-1].role != "user"):
            messages.append(PromptMessage(role="user", content=GAP))
            parts.append((Part(message.id, 1),))
        messages.append(_message(message))
        parts.append((part,))
    return Prompt(messages=messages, parts=parts)


def is_silent(message: Message) -> bool:
    """Whether there is nothing in it that could be sent."""
    return message.role is Role.ASSISTANT and not message.text.strip()


def _message(message: Message) -> PromptMessage:
    if message.role is Role.USER:
        return PromptMessage(role="user", content=message.text)
    facts = message.facts
    exact = facts is not None and facts.token_ids and not message.thinking and message.state is not ReplyState.LOST
    if facts is None or not exact:
        return PromptMessage(role="assistant", content=message.text)
    return PromptMessage(role="assistant", content=message.text, token_ids=facts.token_ids, tokenizer=facts.tokenizer)
