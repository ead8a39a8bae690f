"""Lets the model write a note of the oldest turns of a conversation, which stands in their place from then on.

The model reads the beginning of the conversation as it stands, with one more question behind it, so that its cache is
of use; the originals are not touched. What does not fit at once is summarised in several rounds, each with the note of
the one before. What was left out by hand is not read.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from app.base.clock import now_ms
from app.base.ids import new_id
from app.chat.context_view import Mark, Note
from app.chat.messages import Message, ReplyState, Role
from app.chat.prompt import Prompt, build_prompt, is_silent
from app.chat.reply import ReplyFold
from app.engine.client import EngineClient, GenerationEvent
from app.engine.errors import Cancelled, error_from
from app.engine.protocol import Code, Delta, Failed, Finished, Progress, Started
from app.engine.values import GenerateRequest, Sampling
from app.services.changes import ContextChanged, NoteGrew, Publisher
from app.services.errors import NoteFailed
from app.services.prompts import Chosen, Prompts, Wanted

log = logging.getLogger(__name__)

NOTE_TOKENS = 400
"""A note is at most so long, and at most an eighth of the window."""

TELL_S = 0.1
WAIT_S = 0.1

REQUEST = (
    "Summarise our conversation up to here, in its own language, so that it can go on without the messages above. "
    "Keep names, numbers, decisions, what I asked for and what is still open. If there is an earlier summary, take "
    "over what still matters of it. Write at most {words} words of plain text, and nothing but the summary."
)

CancelWith = Callable[[Callable[[], None] | None], None]


class Summarising:
    """Thread-safe. Each call of `write` works on the calling thread, while the model is in use."""

    def __init__(self, engine: EngineClient, prompts: Prompts, publisher: Publisher) -> None:
        self._engine = engine
        self._prompts = prompts
        self._publisher = publisher
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}

    def begin(self, conversation_id: str) -> None:
        """A note of this conversation is about to be written. Raises NoteFailed when one is under way."""
        with self._lock:
            if conversation_id in self._texts:
                raise NoteFailed("A summary of this conversation is being written already.")
            self._texts[conversation_id] = ""

    def end(self, conversation_id: str) -> None:
        """It is there, or will not be; tells."""
        with self._lock:
            self._texts.pop(conversation_id, None)
        self._publisher.publish(ContextChanged(conversation_id=conversation_id))

    def so_far(self, conversation_id: str) -> str | None:
        """The note that is being written, as far as it is; None when none is."""
        with self._lock:
            return self._texts.get(conversation_id)

    def write(self, wanted: Wanted, chosen: Chosen, upto: int, stop: threading.Event, cancel_with: CancelWith) -> Note:
        """A note of everything before place `upto` of the path that an earlier note does not cover. It is not stored.
        Between `begin` and `end`.

        Raises NoteFailed, Cancelled once `stop` is set, and EngineErrors. `cancel_with` is told what ends the
        generation under way.
        """
        selection, gathered = chosen.selection, chosen.gathered
        begin = max(selection.note_end, len(gathered.before))
        after_id = selection.note.after_id if selection.note is not None else None
        if begin > selection.note_end:  # what lies between is out of reach: no note can tell of it
            after_id = selection.ids[begin - 1]
        waiting = [
            message
            for place, message in enumerate(gathered.path[: upto - len(gathered.before)], len(gathered.before))
            if place >= begin and not is_silent(message) and gathered.marks.get(message.id) is not Mark.LEFT_OUT
        ]
        text = chosen.note
        try:
            while waiting:
                taken, prompt = self._round(wanted, waiting, text)
                text = self._generated(wanted, prompt, stop, cancel_with)
                waiting = waiting[taken:]
        finally:
            self._engine.forget(_sequence(wanted))  # nothing goes on from there
        if not text:
            raise NoteFailed("There is nothing to summarise yet: the conversation is short.")
        return Note(
            id=new_id(),
            conversation_id=wanted.conversation_id,
            upto_id=selection.ids[upto - 1],
            after_id=after_id,
            text=text,
            created_ms=now_ms(),
        )

    def _round(self, wanted: Wanted, waiting: Sequence[Message], note: str) -> tuple[int, Prompt]:
        """How many of the oldest messages one question can be about, and the prompt for it."""
        count = self._prompts.count(wanted)
        most = len(waiting)
        shorten = 1.0
        while True:
            taken = [_shortened(message, shorten) for message in waiting[:most]]
            prompt = self._asked(wanted, taken, note)
            counted = count(prompt)
            room = counted.limit - _note_tokens(wanted.n_ctx)
            if counted.total <= room:
                return most, prompt
            ends = [place for place in range(1, most) if waiting[place].role is Role.USER]
            share = room / counted.total
            if ends:  # whole turns, as many as may fit by that measure, and at least one less than before
                most = max((end for end in ends if end <= most * share), default=ends[0])
            elif shorten < 0.01:
                raise NoteFailed("The turns are too long for this model's window to be summarised.")
            else:
                shorten *= share * 0.9

    def _asked(self, wanted: Wanted, messages: Sequence[Message], note: str) -> Prompt:
        words = max(_note_tokens(wanted.n_ctx) * 3 // 5, 20)
        request = Message(
            id="", conversation_id=wanted.conversation_id, parent_id=None, role=Role.USER,
            text=REQUEST.format(words=words),
        )  # fmt: skip
        return build_prompt([*messages, request], wanted.system_prompt, note=note)

    def _generated(self, wanted: Wanted, prompt: Prompt, stop: threading.Event, cancel_with: CancelWith) -> str:
        if stop.is_set():
            raise Cancelled()
        events: queue.SimpleQueue[GenerationEvent] = queue.SimpleQueue()
        request = GenerateRequest(
            sequence=_sequence(wanted),
            messages=prompt.messages,
            sampling=Sampling(temperature=0.3, max_tokens=_note_tokens(wanted.n_ctx)),
            template_options={**wanted.template_options, "enable_thinking": False},
            adapters=wanted.adapters,
        )
        call = self._engine.generate(request, events.put)
        cancel_with(call.cancel)
        fold, told_s = ReplyFold(), 0.0
        asked_to_stop = False
        try:
            while True:
                if stop.is_set() and not asked_to_stop:
                    asked_to_stop = True
                    call.cancel()
                try:
                    event = events.get(timeout=WAIT_S)
                except queue.Empty:
                    continue
                if isinstance(event, Failed):
                    if event.code == Code.CANCELLED:
                        raise Cancelled()
                    raise error_from(event.code, event.detail, event.numbers)
                if isinstance(event, Finished):
                    fold.ended(ReplyState.DONE, event.facts, time.monotonic())
                    break
                if isinstance(event, Started):
                    fold.started(event.thinking_open)
                elif isinstance(event, Progress):
                    self._tell(wanted, "", int(event.done), int(event.total))
                elif isinstance(event, Delta):
                    fold.delta(event.text, event.token_ids, time.monotonic())
                    if time.monotonic() - told_s >= TELL_S:
                        told_s = time.monotonic()
                        self._tell(wanted, fold.text)
        finally:
            cancel_with(None)
        if event.facts.finish_reason == "stopped":
            raise Cancelled()
        text = fold.text.strip()
        if not text:
            raise NoteFailed("The model wrote no summary. Try again, or choose another model.")
        if event.facts.finish_reason == "length":
            text = _whole_sentences(text)
        self._tell(wanted, text)
        return text

    def _tell(self, wanted: Wanted, text: str, done: int = 0, total: int = 0) -> None:
        with self._lock:
            if wanted.conversation_id in self._texts:
                self._texts[wanted.conversation_id] = text
        self._publisher.publish(NoteGrew(conversation_id=wanted.conversation_id, text=text, done=done, total=total))


def _sequence(wanted: Wanted) -> str:
    return f"{wanted.conversation_id}:note"


def _note_tokens(n_ctx: int) -> int:
    return max(min(NOTE_TOKENS, n_ctx // 8), 16)


def _shortened(message: Message, share: float) -> Message:
    """The beginning and the end of a message, when all of it is too much."""
    if share >= 1.0:
        return message
    half = max(int(len(message.text) * share / 2), 1)
    return msgspec.structs.replace(message, text=f"{message.text[:half]}\n[…]\n{message.text[-half:]}", facts=None)


def _whole_sentences(text: str) -> str:
    """Without the sentence that was cut off, if that leaves most of it."""
    end = max(text.rfind(mark) for mark in (". ", ".\n", "! ", "? ", "。", "\n"))
    return text[: end + 1].rstrip() if end > len(text) // 2 else text + "…"
