"""What a conversation is made of, as frozen values. Storage and screens both speak in these; neither belongs here."""

from __future__ import annotations

import enum

import msgspec

from app.chat.context_view import Policy
from app.engine.hardware import DeviceShare
from app.engine.values import Adapter, GenerationFacts, Sampling


class Role(enum.StrEnum):
    """Who speaks. A conversation's system prompt is a property of the conversation, not a message."""

    USER = "user"
    ASSISTANT = "assistant"


class ReplyState(enum.StrEnum):
    """The one state of a reply. A person's message is always DONE.

    queued -> reading (the prompt) -> writing -> done | stopped (by the person) | failed (said why) | lost (the
    process died)
    """

    QUEUED = "queued"
    READING = "reading"
    WRITING = "writing"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"

    @property
    def live(self) -> bool:
        """Whether more text may still come."""
        return self in (ReplyState.QUEUED, ReplyState.READING, ReplyState.WRITING)


class ReplyFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a reply came to be, kept with it for ever.

    `token_ids` are the sampled tokens of the whole reply, thinking included, valid for the vocabulary hash `tokenizer`.
    What the model saw of the path that leads to the reply: the messages from `first_kept` on but those in `left_out`,
    those in `kept_before`, and `note` in place of the oldest turns. `trimmed` counts those before `first_kept` that it
    did not see. Without a `first_kept` (replies of earlier versions) `left_out` names all that did not fit.
    `reread_tokens` were processed again although nothing in them had been changed. `devices`: what the model took of
    each device it was computed on, the CPU's share first; empty in replies of earlier versions. `adapters` lay over the
    model. `error_*` are set when the state is failed or lost.
    """

    model_id: str = ""
    model_name: str = ""
    sampling: Sampling | None = None
    system_prompt: str = ""
    n_ctx: int = 0
    generation: GenerationFacts | None = None
    tokenizer: str = ""
    token_ids: list[int] = []
    thinking_s: float = 0.0
    left_out: list[str] = []
    first_kept: str = ""
    kept_before: list[str] = []
    trimmed: int = 0
    note: str = ""
    reread_tokens: int = 0
    devices: tuple[DeviceShare, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    error_code: str = ""
    error_sentence: str = ""
    error_detail: str = ""

    @property
    def unseen(self) -> int:
        """How many earlier messages did not fit the window; those left out by hand are not counted."""
        return self.trimmed if self.first_kept else len(self.left_out)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message with its text. `thinking` is a reasoning model's thinking, without its tags."""

    id: str
    conversation_id: str
    parent_id: str | None
    role: Role
    text: str
    thinking: str = ""
    state: ReplyState = ReplyState.DONE
    created_ms: int = 0
    facts: ReplyFacts | None = None


class PathEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message of the visible path, without its text: enough to estimate its height and to draw its arrows.

    `length` and `newlines` count characters of `text`; `siblings` are all children of the same parent in order of
    age, this one at `sibling` (0-based).
    """

    id: str
    role: Role
    state: ReplyState
    length: int
    newlines: int
    sibling: int
    siblings: int


class PathStep(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message of any path, without its text; `length` counts its characters."""

    id: str
    role: Role
    length: int


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as it is listed. `leaf_id` is the last message of the visible path.

    `sampling` None means the defaults of the settings; so does an empty `model_id` for the model. `policy`: what goes
    when it no longer fits the model's window. `adapters` lie over whatever model writes.
    """

    id: str
    title: str
    created_ms: int
    updated_ms: int
    leaf_id: str | None = None
    model_id: str = ""
    system_prompt: str = ""
    sampling: Sampling | None = None
    title_by_person: bool = False
    policy: Policy = Policy.ROLLING
    adapters: tuple[Adapter, ...] = ()


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a search matched. `message_id` None: the title matched.

    `snippet` is plain text; `marks` are the (start, end) ranges in it that matched.
    """

    conversation_id: str
    title: str
    message_id: str | None
    snippet: str
    marks: list[tuple[int, int]]
    updated_ms: int
