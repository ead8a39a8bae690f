"""Lists what a prompt is made of, message by message, as a person sees it: pure arithmetic over a selection.

Messages in the prompt have the tokens that were counted; what the others would take is reckoned from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.chat.context_view import ContextEntry, Standing
from app.chat.messages import Message, PathStep, Role
from app.chat.prompt import INSTRUCTIONS, NOTE, Prompt, is_silent
from app.chat.selecting import Selection

EXCERPT = 80
USUAL = 4.0
"""Characters of a token, where nothing better is known."""

_OVERHEAD = 6
"""Tokens that a template usually puts around a message."""


def entries(
    before: Sequence[PathStep],
    messages: Sequence[Message],
    selection: Selection,
    tokens: Mapping[str, int],
    *,
    instructions: str,
    note: str,
    characters_per_token: float,
) -> tuple[ContextEntry, ...]:
    """Instructions, note, then every message of the path. `tokens` are those of what is in the prompt, by id; the texts
    of `messages` are known, of `before` only the lengths."""
    found: list[ContextEntry] = []
    if instructions.strip():
        found.append(_entry("", "instructions", "system", 0, instructions, Standing.KEPT, tokens.get(INSTRUCTIONS, 0)))
    if note.strip():
        found.append(_entry("", "note", "system", 0, note, Standing.KEPT, tokens.get(NOTE, 0)))
    known = {message.id: message for message in messages}
    ahead = {step.id: step for step in before}
    turn = 0
    for place, message_id in enumerate(selection.ids):
        message, step = known.get(message_id), ahead.get(message_id)
        role = message.role if message is not None else step.role if step is not None else Role.USER
        turn += role is Role.USER
        standing = selection.standing(place)
        if message is not None and is_silent(message):
            standing = Standing.OUTSIDE
        length = len(message.text) if message is not None else step.length if step is not None else 0
        own = tokens.get(message_id, 0) if standing.seen else 0
        if not own and length and standing is not Standing.KEPT:
            own = reckoned(length, message, characters_per_token)
        found.append(
            ContextEntry(
                message_id=message_id,
                kind="message",
                role=role.value,
                turn=turn,
                excerpt=excerpt(message.text) if message is not None else "",
                standing=standing,
                tokens=own if standing.seen else 0,
                own_tokens=own,
                thinking_tokens=_thinking(message) if message is not None else 0,
            )
        )
    return tuple(found)


def excerpt(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: EXCERPT * 4].split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1].rstrip() + "…"


def characters_per_token(messages: Sequence[Message]) -> float:
    """By the replies that were counted when they were written."""
    characters = tokens = 0
    for message in messages:
        made = message.facts.generation if message.facts is not None else None
        if made is not None and made.completion_tokens > 0:
            characters += len(message.text) + len(message.thinking)
            tokens += made.completion_tokens
    return min(max(characters / tokens, 1.0), 16.0) if characters and tokens else USUAL


def reckon(prompt: Prompt, per_token: float) -> list[int]:
    """Tokens of each message of a prompt, where nobody can count."""
    return [int(len(message.content) / per_token) + 1 + _OVERHEAD for message in prompt.messages]


def reckoned(length: int, message: Message | None, per_token: float) -> int:
    """Tokens of one message that is not in the prompt."""
    made = message.facts.generation if message is not None and message.facts is not None else None
    if made is not None and message is not None and message.text and made.completion_tokens:
        return max(made.completion_tokens - _thinking(message), 1) + _OVERHEAD
    return int(length / per_token) + 1 + _OVERHEAD


def scaled(spans: Sequence[int], total: int) -> list[int]:
    """The same shares of another sum."""
    whole = sum(spans)
    return [span * total // whole for span in spans] if whole > total else list(spans)


def _entry(
    message_id: str, kind: str, role: str, turn: int, text: str, standing: Standing, tokens: int
) -> ContextEntry:
    return ContextEntry(
        message_id=message_id, kind=kind, role=role, turn=turn, excerpt=excerpt(text), standing=standing, tokens=tokens,
        own_tokens=tokens,
    )  # fmt: skip


def _thinking(message: Message) -> int:
    """Tokens of the thinking before a reply: its share of the reply by length."""
    made = message.facts.generation if message.facts is not None else None
    whole = len(message.thinking) + len(message.text)
    if made is None or not message.thinking:
        return 0
    return made.completion_tokens * len(message.thinking) // whole
