"""Writes one reply: waits for the model, asks the engine, folds its events, keeps the text, says how it ended.

Runs on the one thread for replies. The engine's events only pass a queue on the way here, so the engine's reader
never waits.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from app.base.errors import InglenookError
from app.chat import context
from app.chat.messages import Conversation, Message, ReplyFacts, ReplyState, Role
from app.chat.prompt import Prompt, build_prompt
from app.engine.client import Call, EngineClient, GenerationEvent
from app.engine.errors import ENGINE_DIED, Busy, Cancelled, EngineError, error_from
from app.engine.protocol import Code, Delta, Failed, Finished, Progress, Started
from app.engine.values import GenerateRequest, GenerationFacts, Sampling, TemplateOptions
from app.services.changes import Publisher, ReplyChanged, ReplyGrew, ReplyProgressed
from app.services.errors import MessageTooLarge
from app.services.keeping import GROWTH_S, Growing, Keeping
from app.services.live import Live
from app.services.loading import Loading, Ready
from app.services.wakefulness import Wakefulness

log = logging.getLogger(__name__)

MEASURE_TIMEOUT_S = 60.0


class Turn(msgspec.Struct):
    """One reply that was asked for. `stored` ends when its turn is in the store or was refused.

    `path(characters)` gives what it answers: the ids of what lies too far back, and messages of that length at least.
    """

    live: Live
    conversation: Conversation
    parent_id: str
    created_ms: int
    path: Callable[[int], tuple[list[str], list[Message]]]
    stored: Future[None]
    sampling: Sampling
    system_prompt: str
    model_id: str = ""
    template_options: TemplateOptions = {}


class _Attempt:
    """What is found out about one reply on its way."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.ready: Ready | None = None
        self.leave_out: set[str] = set()
        self.began = False
        self.facts: GenerationFacts | None = None
        self.error: InglenookError | None = None

    def reply_facts(self, error: InglenookError | None) -> ReplyFacts:
        """Everything that is kept with the reply."""
        ready = self.ready
        return ReplyFacts(
            model_id=ready.file.id if ready is not None else "",
            model_name=ready.file.name if ready is not None else "",
            sampling=self.turn.sampling,
            system_prompt=self.turn.system_prompt,
            n_ctx=ready.model.n_ctx if ready is not None else 0,
            tokenizer=ready.model.tokenizer if ready is not None else "",
            left_out=sorted(self.leave_out),
            error_code=error.code if error is not None else "",
            error_sentence=error.sentence if error is not None else "",
            error_detail=error.detail if error is not None else "",
            **self.turn.live.facts(),
        )


class Writing:
    """`write` returns when the reply has ended and is kept."""

    def __init__(
        self, engine: EngineClient, loading: Loading, keeping: Keeping, wakefulness: Wakefulness, publisher: Publisher
    ) -> None:
        self._engine = engine
        self._loading = loading
        self._keeping = keeping
        self._wakefulness = wakefulness
        self._publisher = publisher

    def write(self, turn: Turn) -> Message:
        """Writes the reply of `turn` and keeps it, whatever happens: the message returned has a terminal state."""
        attempt = _Attempt(turn)
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

    def _generate(self, attempt: _Attempt) -> tuple[ReplyState, InglenookError | None]:
        turn = attempt.turn
        file = self._loading.choice(turn.model_id)
        while True:
            attempt.ready = ready = self._loading.ensure(file, turn.live.stop)
            with self._loading.engine_in_use:
                if self._loading.ready is not ready:  # it was replaced or died between the two
                    continue
                self._change(turn, ReplyState.READING)
                turn.live.reading()
                limit = ready.model.n_ctx
                too_far_back, path = turn.path(limit * context.MOST_CHARACTERS)
                attempt.leave_out = context.still_left_out(path, ready.file.id, limit)
                attempt.leave_out |= {*too_far_back, *context.out_of_reach(path, limit)}
                prompt = build_prompt(path, turn.system_prompt, leave_out=attempt.leave_out)
                reserve = context.reserve_for(limit, turn.sampling.max_tokens)
                known, characters = context.known_so_far(path, ready.model.tokenizer)
                if context.may_overflow(known, characters + len(turn.system_prompt), limit, reserve):
                    prompt = self._fitted(attempt, prompt, reserve)
                ended = self._ask(attempt, prompt)
                if isinstance(ended, Failed) and ended.code == Code.PROMPT_TOO_LONG and not attempt.began:
                    log.info("the prompt is too long: %s", ended.numbers)
                    ended = self._ask(attempt, self._fitted(attempt, prompt, reserve))
            if isinstance(ended, Finished):
                attempt.facts = ended.facts
                stopped = ended.facts.finish_reason == "stopped"
                return (ReplyState.STOPPED if stopped else ReplyState.DONE), None
            if ended.code == Code.CANCELLED:
                return ReplyState.STOPPED, None
            error = attempt.error or error_from(ended.code, ended.detail, ended.numbers)
            return (ReplyState.LOST if ended.code == ENGINE_DIED else ReplyState.FAILED), error

    def _fitted(self, attempt: _Attempt, prompt: Prompt, reserve: int) -> Prompt:
        """The prompt with its oldest turns left out as needed. Raises MessageTooLarge, and what measuring raises."""
        try:
            measured = self._engine.measure(prompt.messages, attempt.turn.template_options).result(MEASURE_TIMEOUT_S)
        except TimeoutError as error:
            raise Busy("measuring took too long") from error
        roles = [message.role for message in prompt.messages]
        try:
            fit = context.fit(roles, measured.spans, measured.total, measured.limit, reserve)
        except context.TooLarge as error:
            raise MessageTooLarge(
                f"This message needs {error.tokens:,} tokens and the model sees {error.limit:,}. "
                "Send it in parts, or load the model with a longer context.",
            ) from error
        if not fit.left_out:
            return prompt
        attempt.leave_out = {*attempt.leave_out, *(prompt.ids[index] for index in fit.left_out)}
        return Prompt(
            messages=[prompt.messages[index] for index in fit.kept], ids=[prompt.ids[index] for index in fit.kept]
        )

    def _ask(self, attempt: _Attempt, prompt: Prompt) -> Finished | Failed:
        """One generation, from the frame to its terminal event."""
        turn, live = attempt.turn, attempt.turn.live
        events: queue.SimpleQueue[GenerationEvent] = queue.SimpleQueue()
        request = GenerateRequest(
            sequence=turn.conversation.id,
            messages=prompt.messages,
            sampling=turn.sampling,
            template_options=turn.template_options,
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

    def _fold(self, attempt: _Attempt, event: GenerationEvent) -> None:
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

    def _end(self, attempt: _Attempt, state: ReplyState, error: InglenookError | None) -> Message:
        turn, live = attempt.turn, attempt.turn.live
        for offset, text, thinking in live.finish(state, attempt.facts, time.monotonic()):
            self._grew(live, offset, text, thinking)
        facts = attempt.reply_facts(error)
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
