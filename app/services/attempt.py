"""One reply that was asked for, and what is found out about it while it is written. How it is written is writing.py."""

from __future__ import annotations

from concurrent.futures import Future

import msgspec

from app.base.errors import InglenookError
from app.chat import selecting
from app.chat.messages import Conversation, ReplyFacts
from app.engine.values import Adapter, GenerationFacts, Sampling, TemplateOptions
from app.services.live import Live
from app.services.load_wishes import Ready
from app.services.prompts import Chosen, Wanted


class Turn(msgspec.Struct):
    """One reply that was asked for. `stored` ends when its turn is in the store or was refused.

    `parent_id` is the message it answers.
    """

    live: Live
    conversation: Conversation
    parent_id: str
    created_ms: int
    stored: Future[None]
    sampling: Sampling
    system_prompt: str
    model_id: str = ""
    template_options: TemplateOptions = {}
    guess: bool = True
    adapters: tuple[Adapter, ...] = ()


class Attempt:
    """What is found out about one reply on its way."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.ready: Ready | None = None
        self.wanted: Wanted | None = None
        self.chosen: Chosen | None = None
        self.sequel = selecting.Sequel()
        self.began = False
        self.facts: GenerationFacts | None = None
        self.error: InglenookError | None = None

    def reply_facts(self, error: InglenookError | None, saw: ReplyFacts) -> ReplyFacts:
        """Everything that is kept with the reply; `saw` tells what the model saw."""
        ready, chosen, made = self.ready, self.chosen, self.facts
        last = selecting.last_reply(chosen.gathered.path) if chosen is not None else None
        return msgspec.structs.replace(
            saw,
            model_id=ready.file.id if ready is not None else "",
            model_name=ready.file.name if ready is not None else "",
            sampling=self.turn.sampling,
            system_prompt=self.turn.system_prompt,
            adapters=self.turn.adapters,
            n_ctx=ready.model.n_ctx if ready is not None else 0,
            tokenizer=ready.model.tokenizer if ready is not None else "",
            devices=ready.model.shares if ready is not None else (),
            reread_tokens=selecting.reread(self.sequel, last, made.dropped_tokens) if made is not None else 0,
            error_code=error.code if error is not None else "",
            error_sentence=error.sentence if error is not None else "",
            error_detail=error.detail if error is not None else "",
            **self.turn.live.facts(),
        )
