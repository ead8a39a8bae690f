"""What a model would see of a conversation, or what it saw for one reply, message by message, as frozen values.

How it comes to be is decided in context.py; nothing here decides or counts.
"""

from __future__ import annotations

import enum

import msgspec


class Policy(enum.StrEnum):
    """What happens when a conversation no longer fits its window. ROLLING: the oldest turns leave. SUMMARISE: the model
    writes a note of them, which stands in their place. ASK: nothing is sent, and the person chooses what goes."""

    ROLLING = "rolling"
    SUMMARISE = "summarise"
    ASK = "ask"


class Mark(enum.StrEnum):
    """What a person said about one message: it never leaves by itself, or it is never sent."""

    PINNED = "pinned"
    LEFT_OUT = "left_out"


class Standing(enum.StrEnum):
    """Where a message is. KEPT and PINNED are in the prompt; SUMMARISED stands in the note instead; TRIMMED left
    because of the window; OUTSIDE was left out by hand, or holds nothing that could be sent."""

    KEPT = "kept"
    PINNED = "pinned"
    SUMMARISED = "summarised"
    TRIMMED = "trimmed"
    OUTSIDE = "outside"

    @property
    def seen(self) -> bool:
        """Whether it is in the prompt itself."""
        return self in (Standing.KEPT, Standing.PINNED)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A summary of the oldest turns: of the messages after `after_id` (None: from the first on) up to `upto_id`.

    It stands in their place on every path that goes through `upto_id`. `by_person`: somebody edited it.
    """

    id: str
    conversation_id: str
    upto_id: str
    text: str
    after_id: str | None = None
    by_person: bool = False
    created_ms: int = 0


class ContextEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the list. `kind`: instructions, note or message. A message without an id is the unsent draft.

    `turn` counts from 1 (0: none). `excerpt` is one line of at most 80 characters, empty for what lies far back.
    `tokens` are those in the prompt (0 when it is not in it), `own_tokens` those it takes or would take.
    `thinking_tokens` were spent on thinking before it; thinking is never sent again and so not part of either.
    """

    message_id: str
    kind: str
    role: str
    turn: int
    excerpt: str
    standing: Standing
    tokens: int
    own_tokens: int
    thinking_tokens: int = 0


class ContextView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one prompt. Tokens throughout; `limit` is the window, `reserve` is kept of it for the reply.

    `exact`: the engine counted; otherwise it is estimated, because the model is not loaded. `cached` of the `used`
    tokens are in memory and need not be read again. `note` is the text of the summary, '' without one;
    `summarising`: it is being written now. `needs_choice`: the policy is to ask, and something must go. `too_large`:
    what must be sent and fits no window of this size needs, else 0, and `too_large_said` says so. `waiting`: the model
    is loaded again when the replies that are being written have ended. `grow_to` is a longer window that the model was
    trained for and the memory allows, for `grow_bytes` more; 0 if there is none. `read_again` says in a sentence that
    the last reply had to read old text anew without the person having changed it, else ''.
    """

    conversation_id: str
    model_name: str
    limit: int
    used: int
    reserve: int
    entries: tuple[ContextEntry, ...]
    policy: Policy = Policy.ROLLING
    exact: bool = False
    cached: int = 0
    note: str = ""
    summarising: bool = False
    needs_choice: bool = False
    too_large: int = 0
    too_large_said: str = ""
    waiting: bool = False
    grow_to: int = 0
    grow_bytes: int = 0
    read_again: str = ""

    @property
    def free(self) -> int:
        """What is left of the window beside the prompt and the room for the reply."""
        return max(self.limit - self.used - self.reserve, 0)

    @property
    def old_thinking(self) -> int:
        """Tokens of thinking that belonged to messages in the prompt, and left with the question that followed."""
        return sum(entry.thinking_tokens for entry in self.entries if entry.standing.seen)

    def by_kind(self) -> dict[str, int]:
        """Tokens of system, note, pinned, history, thinking (in the prompt: none, it is not sent again) and reserve.

        What the template adds around the messages counts as system; all but the reserve add up to `used`.
        """
        kinds = {"system": 0, "note": 0, "pinned": 0, "history": 0, "thinking": 0, "reserve": self.reserve}
        for entry in self.entries:
            if entry.kind == "message":
                kinds["pinned" if entry.standing is Standing.PINNED else "history"] += entry.tokens
            elif entry.kind == "note":
                kinds["note"] += entry.tokens
        kinds["system"] = max(self.used - kinds["note"] - kinds["pinned"] - kinds["history"], 0)
        return kinds
