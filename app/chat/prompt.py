"""Makes the messages of a prompt from the path of a conversation. Only selection and order; rendering is the engine's.

Thinking of earlier replies is not included. The sampled tokens of a reply go along when they are exactly its text,
so that the engine finds its cache again without tokenising the text a second time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from app.chat.messages import Message, ReplyState, Role
from app.engine.values import PromptMessage


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """The messages, and beside each the id of the message it was made of ('' for the system prompt)."""

    messages: list[PromptMessage]
    ids: list[str]


def build_prompt(path: Sequence[Message], system_prompt: str = "", *, leave_out: Collection[str] = ()) -> Prompt:
    """The prompt for the reply after the last message of `path` (root first).

    Replies without an answer (stopped before their first word, failed) are skipped, and the question before such a
    reply is joined with the next one, because many templates insist on alternating roles.
    """
    messages: list[PromptMessage] = []
    ids: list[str] = []
    if system_prompt.strip():
        messages.append(PromptMessage(role="system", content=system_prompt.strip()))
        ids.append("")
    for message in path:
        if message.id in leave_out:
            continue
        if message.role is Role.USER:
            if messages and messages[-1].role == "user":
                joined = f"{messages[-1].content}\n\n{message.text}"
                messages[-1] = PromptMessage(role="user", content=joined)
                ids[-1] = message.id
            else:
                messages.append(PromptMessage(role="user", content=message.text))
                ids.append(message.id)
        elif message.text.strip():
            messages.append(_reply(message))
            ids.append(message.id)
    return Prompt(messages=messages, ids=ids)


def _reply(message: Message) -> PromptMessage:
    facts = message.facts
    exact = facts is not None and facts.token_ids and not message.thinking and message.state is not ReplyState.LOST
    if facts is None or not exact:
        return PromptMessage(role="assistant", content=message.text)
    return PromptMessage(role="assistant", content=message.text, token_ids=facts.token_ids, tokenizer=facts.tokenizer)
