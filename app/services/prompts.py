"""Makes the prompt of a reply: the one way for the reply itself, for its preview, and for what is summarised.

Brings together what the rules in `chat/selecting` need: the path with its marks and notes, and somebody who counts.
What happens when something must leave is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from app.chat import context, selecting
from app.chat.context_view import Mark, Note, Policy
from app.chat.messages import Message, PathStep, ReplyFacts, Role
from app.chat.prompt import Prompt, build_prompt, is_silent
from app.engine.client import EngineClient
from app.engine.errors import Busy
from app.engine.values import Adapter, TemplateOptions
from app.services.lookup import Lookup
from app.services.marking import Marking

MEASURE_TIMEOUT_S = 60.0
DRAFT = "draft"
"""The id of a message that was not sent yet."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a prompt is wanted for: the reply after `leaf_id`, written by this model with this window.

    `reply_id` '' is a preview; `draft` is then sent in thought after `leaf_id`.
    """

    conversation_id: str
    leaf_id: str
    model_id: str
    n_ctx: int
    tokenizer: str = ""
    system_prompt: str = ""
    policy: Policy = Policy.ROLLING
    template_options: TemplateOptions = {}
    max_tokens: int = 0
    reply_id: str = ""
    draft: str = ""
    adapters: tuple[Adapter, ...] = ()

    @property
    def reserve(self) -> int:
        """Room for the reply."""
        return context.reserve_for(self.n_ctx, self.max_tokens)


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """A path: `before` lies out of reach and has no text, `path` follows it; `far` are pinned messages of `before`."""

    before: list[PathStep]
    path: list[Message]
    far: list[Message]
    marks: dict[str, Mark]
    notes: list[Note]

    @property
    def ids(self) -> list[str]:
        """The whole path, root first."""
        return [*(step.id for step in self.before), *(message.id for message in self.path)]

    @property
    def messages(self) -> list[Message]:
        """Those whose text is known, in order."""
        return [*self.far, *self.path]

    @property
    def silent(self) -> set[str]:
        """The ids of messages without anything that could be sent."""
        return {message.id for message in self.path if is_silent(message)}


class Count(NamedTuple):
    """Tokens of a prompt: in all, by message, and the most there may be; how many are in memory."""

    total: int
    spans: list[int]
    limit: int
    cached: int = 0


Counter = Callable[[Prompt], Count]


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt, and how it was chosen. `count` is None until somebody counted."""

    gathered: Gathered
    selection: selecting.Selection
    prompt: Prompt
    count: Count | None = None

    @property
    def note(self) -> str:
        """The text that stands in place of the oldest turns."""
        return self.selection.note.text if self.selection.note is not None else ""

    @property
    def tokens(self) -> dict[str, int]:
        """By id of a message, of the instructions or of the note."""
        return self.prompt.tokens(self.count.spans) if self.count is not None else {}

    @property
    def seen(self) -> list[Message]:
        """The messages in the prompt, in order."""
        seen = self.selection.seen()
        return [message for message in self.gathered.messages if message.id in seen and not is_silent(message)]


Full = Callable[[Chosen, selecting.Selection], selecting.Selection]
"""Called when something must leave, with what would be left; returns the selection to go on with, or raises."""


class Prompts:
    """Thread-safe."""

    def __init__(self, engine: EngineClient, lookup: Lookup, marking: Marking) -> None:
        self._engine = engine
        self._lookup = lookup
        self._marking = marking

    def gather(self, wanted: Wanted) -> Gathered:
        """The path that a prompt is chosen from."""
        characters = wanted.n_ctx * context.MOST_CHARACTERS
        before: list[PathStep] = []
        path: list[Message] = []
        if wanted.leaf_id:
            before, path = self._lookup.recent(wanted.conversation_id, wanted.leaf_id, characters)
        marks = self._marking.marks(wanted.conversation_id)
        pinned = [step.id for step in before if marks.get(step.id) is Mark.PINNED]
        if wanted.draft:
            path = [*path, Message(
                id=DRAFT, conversation_id=wanted.conversation_id, parent_id=None, role=Role.USER, text=wanted.draft
            )]  # fmt: skip
        return Gathered(
            before=before,
            path=path,
            far=self._lookup.many(wanted.conversation_id, pinned),
            marks=marks,
            notes=self._marking.notes(wanted.conversation_id),
        )

    def choose(self, wanted: Wanted, gathered: Gathered | None = None) -> Chosen:
        """The prompt as it would be if all of it fits that is within reach."""
        gathered = gathered or self.gather(wanted)
        reach = len(gathered.before) + len(context.out_of_reach(gathered.path, wanted.n_ctx))
        selection = selecting.select(
            gathered.ids,
            gathered.marks,
            gathered.notes,
            selecting.last_reply(gathered.path),
            first=reach,
            model_id=wanted.model_id,
            n_ctx=wanted.n_ctx,
        )
        return self.with_selection(wanted, gathered, selection)

    def with_selection(self, wanted: Wanted, gathered: Gathered, selection: selecting.Selection) -> Chosen:
        """The prompt of this very selection."""
        note = selection.note.text if selection.note is not None else ""
        seen = selection.seen()
        messages = [message for message in gathered.messages if message.id in seen]
        prompt = build_prompt(messages, wanted.system_prompt, note=note)
        return Chosen(gathered=gathered, selection=selection, prompt=prompt)

    def may_overflow(self, wanted: Wanted, chosen: Chosen) -> bool:
        """Whether it is worth counting before it is sent."""
        known, characters = 0, sum(len(message.content) for message in chosen.prompt.messages)
        if self._compared(wanted, chosen).extends:
            known, characters = context.known_so_far(chosen.gathered.path, wanted.tokenizer)
            characters += len(wanted.system_prompt)
        return context.may_overflow(known, characters, wanted.n_ctx, wanted.reserve)

    def fitted(self, wanted: Wanted, chosen: Chosen, count: Counter, full: Full) -> Chosen:
        """Counts, and lets the oldest turns leave until it fits. Raises context.TooLarge, and what `count` and `full`
        raise."""
        while True:
            chosen = msgspec.structs.replace(chosen, count=(counted := count(chosen.prompt)))
            less = selecting.cut(
                chosen.selection, chosen.seen, chosen.tokens, counted.total, counted.limit, wanted.reserve
            )
            if less is None:
                return chosen
            chosen = self.with_selection(wanted, chosen.gathered, full(chosen, less))

    def count(self, wanted: Wanted, timeout_s: float = MEASURE_TIMEOUT_S, *, ahead: bool = False) -> Counter:
        """Counting by the engine. It raises what measuring raises; Busy when the engine does not come to it in time.

        `ahead`: somebody is typing the last message; what can be read of the prompt before it is sent, may be.
        """

        def count(prompt: Prompt) -> Count:
            call = self._engine.measure(
                prompt.messages, wanted.template_options, wanted.conversation_id, ahead=ahead, adapters=wanted.adapters
            )
            try:
                measured = call.result(timeout_s)
            except TimeoutError as error:
                raise Busy("measuring took too long") from error
            return Count(measured.total, measured.spans, measured.limit, measured.cached)

        return count

    def sequel(self, wanted: Wanted, chosen: Chosen) -> selecting.Sequel:
        """How the prompt goes on from what the engine wrote last for this conversation; from anything else it does
        not."""
        before = self._lookup.reply_before(wanted.conversation_id, wanted.reply_id)
        if before is None:
            return selecting.Sequel()
        last = selecting.last_reply(chosen.gathered.path)
        if last is not None and last.id == before:
            return self._compared(wanted, chosen)
        other = self._lookup.message(before)
        again = other.parent_id == wanted.leaf_id and other.facts is not None and other.facts.generation is not None
        if again and other.facts is not None:
            facts = self.facts(wanted, chosen)
            names = (
                "model_id", "n_ctx", "system_prompt", "note", "first_kept", "left_out", "kept_before", "adapters",
            )  # fmt: skip
            again = all(getattr(facts, name) == getattr(other.facts, name) for name in names)
        return selecting.Sequel(repeats=again, by_hand=chosen.selection.left_out_before)

    def facts(self, wanted: Wanted, chosen: Chosen) -> ReplyFacts:
        """What is kept with a reply of what it saw."""
        left_out, kept_before, trimmed = chosen.selection.exceptions()
        return ReplyFacts(
            model_id=wanted.model_id,
            n_ctx=wanted.n_ctx,
            system_prompt=wanted.system_prompt,
            tokenizer=wanted.tokenizer,
            first_kept=chosen.selection.first_kept,
            left_out=left_out,
            kept_before=kept_before,
            trimmed=trimmed,
            note=chosen.note,
            adapters=wanted.adapters,
        )

    def _compared(self, wanted: Wanted, chosen: Chosen) -> selecting.Sequel:
        return selecting.sequel(
            chosen.selection,
            chosen.gathered.silent,
            selecting.last_reply(chosen.gathered.path),
            model_id=wanted.model_id,
            system_prompt=wanted.system_prompt,
            note=chosen.note,
            adapters=wanted.adapters,
        )
