"""Writes one reply: waits for the model, asks the engine, folds its events, keeps the text, says how it ended.

Runs on the reply's own thread. The engine's events only pass a queue on the way here, so the engine's reader
never waits.
"""

from __future__ import annotations

import logging
import queue
import time

import msgspec

from app.base.errors import InglenookError
from app.chat import context, selecting
from app.chat.context_view import Policy
from app.chat.messages import Message, ReplyFacts, ReplyState, Role
from app.engine.client import Call, EngineClient, GenerationEvent
from app.engine.errors import ENGINE_DIED, Cancelled, EngineDied, EngineError, error_from
from app.engine.protocol import Code, Delta, Failed, Finished, Progress, Started
from app.engine.values import GenerateRequest, GenerationFacts
from app.services.attempt import Attempt, Turn
from app.services.changes import Publisher, ReplyChanged, ReplyGrew, ReplyProgressed
from app.services.keeping import GROWTH_S, Growing, Keeping
from app.services.live import Live
from app.services.load_wishes import Ready
from app.services.loading import Loading
from app.services.marking import Marking
from app.services.prompts import Chosen, Prompts, Wanted
from app.services.refusals import Refusals
from app.services.snapshots import Snapshots
from app.services.summarising import Summarising
from app.services.wakefulness import Wakefulness

log = logging.getLogger(__name__)


class Writing:
    """`write` returns when the reply has ended and is kept."""

    def __init__(
        self, engine: EngineClient, loading: Loading, prompts: Prompts, summarising: Summarising, marking: Marking,
        refusals: Refusals, snapshots: Snapshots, keeping: Keeping, wakefulness: Wakefulness, publisher: Publisher,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._loading = loading
        self._prompts = prompts
        self._summarising = summarising
        self._marking = marking
        self._refusals = refusals
        self._snapshots = snapshots
        self._keeping = keeping
        self._wakefulness = wakefulness
        self._publisher = publisher

    def write(self, turn: Turn) -> Message:
        """Writes the reply of `turn` and keeps it, whatever happens: the message returned has a terminal state."""
        attempt = Attempt(turn)
        state, error = ReplyState.STOPPED, None
        if not turn.live.stop.is_set():
            try:
                with self._wakefulness.hold():
                    state, error = self._generate(attempt)
            except Cancelled:
                log.info("a reply was given up with the load it waited for")
            except InglenookError as raised:
                state, error = ReplyState.FAILED, raised
            except Exception as raised:  # the edge of the thread for replies: the reply must end in a state
                log.exception("a reply failed")
                state = ReplyState.FAILED
                error = InglenookError(
                    "The reply failed because of a fault in Inglenook.", detail=type(raised).__name__
                )
        if turn.live.stop.is_set() and (state is not ReplyState.DONE):
            state, error = ReplyState.STOPPED, None
        return self._end(attempt, state, error)

    def _generate(self, attempt: Attempt) -> tuple[ReplyState, InglenookError | None]:
        turn = attempt.turn
        file = self._loading.choice(turn.model_id)
        while True:
            attempt.ready = ready = self._loading.ensure(file, turn.live.stop)
            with self._loading.engine_in_use.use():
                if self._loading.ready is not ready:  # it was replaced or died between the two
                    continue
                self._change(turn, ReplyState.READING)
                turn.live.reading()
                attempt.wanted = wanted = self._wanted(turn, ready)
                chosen = self._prompts.choose(wanted)
                if self._prompts.may_overflow(wanted, chosen):
                    chosen = self._fitted(attempt, wanted, chosen)
                ended = self._ask(attempt, wanted, chosen)
                if isinstance(ended, Failed) and ended.code == Code.PROMPT_TOO_LONG and not attempt.began:
                    log.info("the prompt is too long: %s", ended.numbers)
                    ended = self._ask(attempt, wanted, self._fitted(attempt, wanted, chosen))
            if isinstance(ended, Finished):
                attempt.facts = ended.facts
                stopped = ended.facts.finish_reason == "stopped"
                return (ReplyState.STOPPED if stopped else ReplyState.DONE), None
            if ended.code == Code.CANCELLED:
                return ReplyState.STOPPED, None
            error = attempt.error or error_from(ended.code, ended.detail, ended.numbers)
            if ended.code != ENGINE_DIED and isinstance(error, EngineError):  # of that loading hears by itself
                self._loading.failed_writing(ready, error)
            return (ReplyState.LOST if ended.code == ENGINE_DIED else ReplyState.FAILED), error

    def _wanted(self, turn: Turn, ready: Ready) -> Wanted:
        return Wanted(
            conversation_id=turn.conversation.id,
            leaf_id=turn.parent_id,
            model_id=ready.file.id,
            n_ctx=ready.model.n_ctx,
            tokenizer=ready.model.tokenizer,
            system_prompt=turn.system_prompt,
            policy=turn.conversation.policy,
            template_options=turn.template_options,
            max_tokens=turn.sampling.max_tokens,
            reply_id=turn.live.message_id,
            adapters=turn.adapters,
        )

    def _fitted(self, attempt: Attempt, wanted: Wanted, chosen: Chosen) -> Chosen:
        """The prompt without its oldest turns, as far as needed and as the conversation's policy has it. Raises
        MessageTooLarge, ContextFull, and what counting and summarising raise."""

        def full(fuller: Chosen, less: selecting.Selection) -> selecting.Selection:
            if wanted.policy is Policy.ASK:
                raise self._refusals.full(fuller)
            if wanted.policy is Policy.SUMMARISE:
                try:
                    return self._summarised(attempt.turn.live, wanted, fuller, less)
                except (Cancelled, EngineDied):
                    raise
                except InglenookError as error:
                    log.info("the oldest turns leave without a summary: %s", error.code)
            return less

        try:
            return self._prompts.fitted(wanted, chosen, self._prompts.count(wanted), full)
        except context.TooLarge as error:
            raise self._refusals.too_large(error, attempt.ready) from error

    def _summarised(self, live: Live, wanted: Wanted, fuller: Chosen, less: selecting.Selection) -> selecting.Selection:
        """The model writes a note of what would leave, before it is asked."""
        self._summarising.begin(wanted.conversation_id)
        try:
            note = self._summarising.write(wanted, fuller, less.first, live.stop, live.cancel_with)
            self._marking.set_note(note)
        finally:
            self._summarising.end(wanted.conversation_id)
        gathered = msgspec.structs.replace(fuller.gathered, notes=[*fuller.gathered.notes, note])
        return self._prompts.choose(wanted, gathered).selection

    def _ask(self, attempt: Attempt, wanted: Wanted, chosen: Chosen) -> Finished | Failed:
        """One generation, from the frame to its terminal event."""
        turn, live = attempt.turn, attempt.turn.live
        attempt.chosen = chosen
        attempt.sequel = self._prompts.sequel(wanted, chosen)
        events: queue.SimpleQueue[GenerationEvent] = queue.SimpleQueue()
        assert attempt.ready is not None
        snapshot, limit_bytes = self._snapshots.place(turn.conversation.id, attempt.ready.file)
        request = GenerateRequest(
            sequence=turn.conversation.id,
            messages=chosen.prompt.messages,
            sampling=turn.sampling,
            template_options=turn.template_options,
            shift=attempt.sequel.may_shift,
            snapshot=snapshot,
            snapshot_limit=limit_bytes,
            guess=turn.guess,
            adapters=wanted.adapters,
        )
        call = self._engine.generate(request, events.put)
        live.cancel_with(call.cancel)
        growing = self._keeping.growing(live)
        next_append = time.monotonic() + GROWTH_S
        try:
            while True:
                try:
                    event = events.get(timeout=max(0.01, next_append - time.monotonic()))
                except queue.Empty:
                    event = None
                if isinstance(event, (Finished, Failed)):
                    if isinstance(event, Failed):
                        attempt.error = _error_of(call)
                    return event
                if event is not None:
                    self._fold(attempt, event)
                if time.monotonic() >= next_append:
                    self._append(growing)
                    next_append = time.monotonic() + GROWTH_S
        finally:
            live.cancel_with(None)

    def _append(self, growing: Growing | None) -> None:
        if growing is not None and (error := growing.append()) is not None:
            self._keeping.refused(error)

    def _fold(self, attempt: Attempt, event: GenerationEvent) -> None:
        turn, live = attempt.turn, attempt.turn.live
        if isinstance(event, Delta):
            if not attempt.began:
                attempt.began = True
                self._change(turn, ReplyState.WRITING)
            for offset, text, thinking in live.delta(event.text, event.token_ids, time.monotonic()):
                self._grew(live, offset, text, thinking)
        elif isinstance(event, Progress):
            live.progressed(int(event.done), int(event.total))
            self._publisher.publish(
                ReplyProgressed(
                    conversation_id=live.conversation_id,
                    message_id=live.message_id,
                    done=int(event.done),
                    total=int(event.total),
                )
            )
        elif isinstance(event, Started):
            live.started(event.thinking_open)

    def _end(self, attempt: Attempt, state: ReplyState, error: InglenookError | None) -> Message:
        turn, live = attempt.turn, attempt.turn.live
        for offset, text, thinking in live.finish(state, attempt.facts, time.monotonic()):
            self._grew(live, offset, text, thinking)
        wanted, chosen = attempt.wanted, attempt.chosen
        saw = self._prompts.facts(wanted, chosen) if wanted is not None and chosen is not None else ReplyFacts()
        facts = attempt.reply_facts(error, saw)
        now = live.snapshot()
        message = Message(
            id=live.message_id,
            conversation_id=live.conversation_id,
            parent_id=turn.parent_id,
            role=Role.ASSISTANT,
            text=now.text,
            thinking=now.thinking,
            state=state,
            created_ms=turn.created_ms,
            facts=facts,
        )
        log.info("a reply ended: %s %s", state.value, error.code if error is not None else "")
        self._keeping.finish(message, facts)
        return message

    def _grew(self, live: Live, offset: int, text: str, thinking: bool) -> None:
        self._publisher.publish(
            ReplyGrew(
                conversation_id=live.conversation_id,
                message_id=live.message_id,
                offset=offset,
                text=text,
                thinking=thinking,
            )
        )

    def _change(self, turn: Turn, state: ReplyState) -> None:
        self._keeping.state(turn.live, state)
        self._publisher.publish(
            ReplyChanged(conversation_id=turn.live.conversation_id, message_id=turn.live.message_id, state=state)
        )


def _error_of(call: Call[GenerationFacts]) -> EngineError | None:
    """The error a call ended with: it knows more words than its event, for example how a process died."""
    try:
        call.result(1.0)
    except EngineError as error:
        return error
    except TimeoutError:
        return None
    return None
