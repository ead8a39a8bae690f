"""How many tokens of the model's window a conversation takes, as far as it was measured. Reads, changes nothing."""

from __future__ import annotations

from app.chat.messages import PathEntry, ReplyFacts, Role
from app.ui.ports import ApplicationPort


def of_facts(facts: ReplyFacts | None) -> int:
    """The tokens of the prompt and of the reply; 0 if the reply never came to be measured."""
    generation = facts.generation if facts is not None else None
    return generation.prompt_tokens + generation.completion_tokens if generation is not None else 0


def of_last_reply(application: ApplicationPort, conversation_id: str) -> int:
    """The tokens after the newest reply on the visible path that was measured; 0 if there is none."""
    conversations = application.conversations
    conversation = conversations.get(conversation_id) if conversation_id else None
    if conversation is None or not conversation.leaf_id:
        return 0
    if used := of_facts(conversations.message(conversation.leaf_id).facts):
        return used
    path: list[PathEntry] = conversations.path(conversation_id)
    for entry in reversed(path):
        if entry.role is Role.ASSISTANT and (used := of_facts(conversations.message(entry.id).facts)):
            return used
    return 0
