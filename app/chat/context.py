"""Which messages of a conversation the model sees when not all of them fit its window. Pure rules over token counts.

Whole turns (a question and what followed it) leave from the oldest on. The system prompt and the newest message never
leave, nor does what was pinned. Once something must go, more goes than is needed at that moment: a prompt whose
beginning changes with every turn would be processed anew every time. What left is always told. Which messages are
looked at in the first place is selecting.py.
"""

# ruff: noqa: N818 - named after what happened, which reads better at `except` than another word Error

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import msgspec

from app.chat.messages import Message, Role

RESERVE = 512
"""Tokens kept free for the reply, at most; never more than a quarter of the window."""

AFTER_CUT = 0.6
"""How much of the window a prompt may fill right after turns were left out."""

AROUND = 64
"""Tokens that a template may put around a question and behind the reply before it."""

MOST_CHARACTERS = 16
"""Characters of a token, at most, on average over a long text. English has 4 to 5, indented code up to 10."""


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Indices of the messages that stay, of those that were left out, and the tokens of the prompt that results.

    `first` is where the first turn begins that was not cut; what stays before it was pinned.
    """

    kept: list[int]
    left_out: list[int]
    total: int
    first: int = 0


class TooLarge(Exception):
    """What must stay does not fit by itself: `tokens` are needed, `limit` there are. `pinned` of them are pinned, and
    `instructions` are the system message's and the template's."""

    def __init__(self, tokens: int, limit: int, pinned: int = 0, instructions: int = 0) -> None:
        super().__init__(f"{tokens} of {limit} tokens")
        self.tokens = tokens
        self.limit = limit
        self.pinned = pinned
        self.instructions = instructions

    @property
    def said(self) -> str:
        """The same in words, with what helps: about what is in the way, the newest message or what stays with it."""
        numbers = f"{self.tokens:,} tokens and the model sees {self.limit:,}."
        if self.pinned and self.tokens - self.pinned <= self.limit:
            return (
                f"This message and what is pinned need {numbers} {self.pinned:,} of them are pinned: unpin some of it."
            )
        if self.instructions > self.tokens - self.pinned - self.instructions:
            return (
                f"This message and the instructions need {numbers} {self.instructions:,} of them are the instructions: "
                "shorten them."
            )
        return f"This message needs {numbers} Send it in parts."


def reserve_for(limit: int, max_tokens: int = 0) -> int:
    """How many tokens of a window of `limit` are kept for the reply; a smaller `max_tokens` needs no more than
    itself."""
    reserve = min(RESERVE, limit // 4)
    return min(reserve, max_tokens) if max_tokens > 0 else reserve


def fit(
    roles: Sequence[str],
    spans: Sequence[int],
    total: int,
    limit: int,
    reserve: int,
    pinned: Collection[int] = (),
) -> Fit:
    """Leaves out the oldest turns until the prompt leaves `reserve` of `limit` tokens free.

    `roles` and `spans` (tokens) go message by message; `total` is larger than their sum by what the template adds
    itself. `limit` is the most that a prompt may have. The newest turn may use the reserve too. Of a turn that leaves,
    the `pinned` messages stay. Raises TooLarge.
    """
    if total + reserve <= limit:
        return Fit(kept=list(range(len(roles))), left_out=[], total=total)
    turns = _turns(roles)
    target = min(limit - reserve, int(limit * AFTER_CUT))
    left_out: list[int] = []
    first = 0
    for turn, following in pairwise(turns):
        if total <= target:
            break
        leaving = [index for index in turn if index not in pinned]
        left_out.extend(leaving)
        total -= sum(spans[index] for index in leaving)
        first = following[0]
    gone = set(left_out)
    kept = [index for index in range(len(roles)) if index not in gone]
    if total > limit:
        stays = turns[-1] if turns else []
        held = sum(spans[index] for index in kept if index in pinned and index not in stays)
        raise TooLarge(total, limit, held, total - sum(spans[index] for index in kept if roles[index] != "system"))
    return Fit(kept=kept, left_out=left_out, total=total, first=first)


def may_overflow(tokens_before: int, characters_added: int, limit: int, reserve: int) -> bool:
    """Whether a prompt is worth measuring beforehand: `tokens_before` are known, the rest is guessed at 2 characters
    a token, and what a template puts around a turn."""
    return tokens_before + characters_added // 2 + AROUND + reserve > limit


def out_of_reach(path: Sequence[Message], limit: int) -> set[str]:
    """The oldest turns that no window of `limit` tokens can hold, whatever the vocabulary: counting their tokens would
    only cost time. What follows them has more than `MOST_CHARACTERS` for every token; the newest turn is never among
    them.
    """
    characters, first = 0, len(path)
    for index in range(len(path) - 1, -1, -1):
        characters += len(path[index].text)
        if path[index].role is Role.USER:
            if first < len(path) and characters > limit * MOST_CHARACTERS:
                break
            first = index
    else:
        return set()
    return {message.id for message in path[:first]}


def known_so_far(path: Sequence[Message], tokenizer: str) -> tuple[int, int]:
    """Tokens of the conversation up to its last reply by the same vocabulary, and characters that came after it."""
    characters = 0
    for message in reversed(path):
        facts = message.facts
        if facts is not None and facts.generation is not None and facts.tokenizer == tokenizer:
            return facts.generation.prompt_tokens + facts.generation.completion_tokens, characters
        characters += len(message.text)
    return 0, characters


def _turns(roles: Sequence[str]) -> list[list[int]]:
    """Indices by turn. A turn begins with a user message; the system prompt belongs to none."""
    turns: list[list[int]] = []
    for index, role in enumerate(roles):
        if role == "system":
            continue
        if role == "user" or not turns:
            turns.append([])
        turns[-1].append(index)
    return turns
