"""The verbs around a reply: send, stop, regenerate, edit. Each returns at once; what comes of it arrives as changes.

Replies of several conversations are written at the same time, those of one conversation one after the other; what has
to wait is in the state `queued`. A temporary conversation never reaches the store.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future

import msgspec

from app.base.clock import now_ms
from app.base.errors import InglenookError
from app.base.ids import new_id
from app.base.threads import NoRoom
from app.chat.messages import Conversation, Message, ReplyFacts, ReplyState, Role
from app.chat.titles import title_for
from app.engine.values import Adapter, Sampling, TemplateOptions
from app.services.adding import Adding
from app.services.attempt import Turn
from app.services.changes import ConversationsChanged, Publisher, ReplyChanged
from app.services.dispatch import Dispatch
from app.services.errors import NoSuchThing, NothingToSend, ServiceError
from app.services.ground import Ground
from app.services.jobs import Jobs
from app.services.keeping import Keeping
from app.services.live import Live, LiveReplies, LiveReply
from app.services.loading import Loading
from app.services.lookup import Lookup, copied, new_message
from app.services.marking import Marking
from app.services.memory import Memory
from app.services.ranges import check_sampling, check_scales
from app.services.writing import Writing
from app.settings.file import SettingsFile
from app.store.text import storable

log = logging.getLogger(__name__)

POLL_S = 0.1


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of what was sent and of the reply to come."""

    conversation_id: str
    message_id: str
    reply_id: str


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants different from the conversation and the settings, for one turn; in a new conversation from
    then on, `seed` and `max_tokens` excepted, which are of the one turn alone."""

    model_id: str = ""
    system_prompt: str | None = None
    sampling: Sampling | None = None
    template_options: TemplateOptions = {}
    adapters: tuple[Adapter, ...] | None = None
    seed: int | None = None
    max_tokens: int | None = None

    def for_turn(self, otherwise: Sampling) -> Sampling:
        """How this turn is sampled, where nothing else was chosen for it."""
        once = {"seed": self.seed, "max_tokens": self.max_tokens}
        return msgspec.structs.replace(
            self.sampling or otherwise, **{name: value for name, value in once.items() if value is not None}
        )


class Sending:
    """Thread-safe. Raises ServiceErrors for what cannot be asked; what fails later ends in the reply's state."""

    def __init__(
        self, ground: Ground, memory: Memory, live_replies: LiveReplies, keeping: Keeping, writing: Writing,
        marking: Marking, settings: SettingsFile, loading: Loading, publisher: Publisher, jobs: Jobs,
    ) -> None:  # fmt: skip
        self._ground = ground
        self._memory = memory
        self._lookup = Lookup(ground, memory)
        self._live = live_replies
        self._keeping = keeping
        self._writing = writing
        self._marking = marking
        self._settings = settings
        self._loading = loading
        self._publisher = publisher
        self._jobs = jobs
        self._adding = Adding(ground, memory, keeping, publisher, jobs)
        self._dispatch = Dispatch(self._write, self._model_of, lambda: settings.current.cache.parallel, jobs)
        self._closed = False

    def send(
        self, conversation_id: str | None, text: str, *, temporary: bool = False, choices: Choices | None = None
    ) -> Sent:
        """Sends a message at the end of a conversation, or in a new one.

        `temporary`: a new conversation that is never stored; with a stored conversation's id it begins as a copy of it.
        """
        text = _sendable(text)
        choices = _allowed(choices)
        conversation, new = self._where(conversation_id, text, temporary, choices)
        parent_id = None if new else conversation.leaf_id
        return self._add_turn(conversation, parent_id, text, choices, new=new)

    def edit(self, message_id: str, text: str) -> Sent:
        """Sends another wording of a message: a sibling of it. Nothing is overwritten."""
        text = _sendable(text)
        message = self._lookup.message(message_id)
        if message.role is not Role.USER:
            raise ServiceError("Only your own messages can be edited.")
        return self._add_turn(
            self._lookup.conversation(message.conversation_id), message.parent_id, text, Choices(), new=False
        )

    def regenerate(self, reply_id: str, *, choices: Choices | None = None) -> str:
        """Asks for another reply to the same message; returns its id. A reply that is still being written is
        stopped."""
        choices = _allowed(choices)
        message = self._lookup.message(reply_id)
        parent_id = message.id if message.role is Role.USER else message.parent_id
        if parent_id is None:
            raise NoSuchThing("This reply answers nothing.", detail=reply_id)
        self.stop(reply_id)
        conversation = self._lookup.conversation(message.conversation_id)
        reply = new_message(conversation.id, parent_id, Role.ASSISTANT)
        self._begin(conversation, None, reply, choices, new=False)
        return reply.id

    def stop(self, reply_id: str) -> None:
        """Ends a reply; what was written stays. Harmless when it has ended."""
        live = self._live.get(reply_id)
        if live is None:
            return
        live.ask_to_stop()
        turn = self._dispatch.take_back(reply_id)
        if turn is not None:
            waiting = turn
            # Not before it is settled: what a refused turn becomes is found out on the same thread.
            turn.stored.add_done_callback(lambda _: self._jobs.submit(lambda: self._write(waiting)))

    def live_reply(self, conversation_id: str) -> LiveReply | None:
        """The reply being written in this conversation, with the text so far."""
        live = self._live.of(conversation_id)
        return live.snapshot() if live is not None else None

    @property
    def unsaved(self) -> bool:
        """Whether the disk refused something that is only in memory now."""
        return self._memory.unsaved

    def stop_all(self, timeout_s: float) -> bool:
        """No more replies: all are stopped and kept. Returns whether that was done within `timeout_s`."""
        self._closed = True
        deadline = time.monotonic() + timeout_s
        for live in reversed(self._live.all()):
            self.stop(live.message_id)
        return all(live.ended.wait(max(0.0, deadline - time.monotonic())) for live in self._live.all())

    def close(self) -> None:
        """Ends the thread that begins replies."""
        self._closed = True
        self._dispatch.close()

    # --- making a turn ----------------------------------------------------------------------------------------------

    def _where(
        self, conversation_id: str | None, text: str, temporary: bool, choices: Choices
    ) -> tuple[Conversation, bool]:
        if conversation_id is not None and (not temporary or self._memory.is_temporary(conversation_id)):
            return self._lookup.conversation(conversation_id), False
        now = now_ms()
        conversation = Conversation(
            id=new_id(),
            title=title_for(text),
            created_ms=now,
            updated_ms=now,
            model_id=choices.model_id,
            system_prompt=choices.system_prompt or "",
            sampling=choices.sampling,
            adapters=choices.adapters or (),
        )
        if not temporary:
            return conversation, True
        path: list[Message] = []
        if conversation_id is not None:
            source = self._lookup.conversation(conversation_id)
            path = self._lookup.path(source.id, source.leaf_id)
            conversation = msgspec.structs.replace(
                conversation,
                title=source.title,
                model_id=choices.model_id or source.model_id,
                system_prompt=source.system_prompt if choices.system_prompt is None else choices.system_prompt,
                sampling=choices.sampling or source.sampling,
                policy=source.policy,
                adapters=source.adapters if choices.adapters is None else choices.adapters,
            )
        copies = copied(path, conversation.id)
        self._memory.hold(conversation, copies, temporary=True)
        if conversation_id is not None:
            taken = {message.id: copy.id for message, copy in zip(path, copies, strict=True)}
            self._marking.copy(conversation_id, conversation.id, taken)
        held = self._memory.conversation(conversation.id)
        assert held is not None
        return held, False

    def _add_turn(
        self, conversation: Conversation, parent_id: str | None, text: str, choices: Choices, *, new: bool
    ) -> Sent:
        user = new_message(conversation.id, parent_id, Role.USER, text)
        reply = new_message(conversation.id, user.id, Role.ASSISTANT)
        self._begin(conversation, user, reply, choices, new=new)
        return Sent(conversation_id=conversation.id, message_id=user.id, reply_id=reply.id)

    def _begin(
        self, conversation: Conversation, user: Message | None, reply: Message, choices: Choices, *, new: bool
    ) -> None:
        """Registers the reply, has the turn kept and queues it."""
        if self._closed:
            raise ServiceError("Inglenook is closing.")
        model_id = choices.model_id or conversation.model_id
        self._loading.refuse_without_models(model_id)  # the message stays where it was written
        live = Live(conversation.id, reply.id)
        self._live.add(live)
        try:
            stored = self._adding.add(conversation, user, reply, new=new)
        except InglenookError:
            self._live.remove(live)
            raise
        generation = self._settings.current.generation
        prompt = choices.system_prompt if choices.system_prompt is not None else conversation.system_prompt
        turn = Turn(
            live=live,
            conversation=conversation,
            parent_id=reply.parent_id or "",
            created_ms=reply.created_ms,
            stored=stored,
            sampling=choices.for_turn(conversation.sampling or generation.sampling()),
            system_prompt=storable(prompt or generation.system_prompt),
            model_id=model_id,
            template_options=choices.template_options,
            guess=self._settings.current.engine.guess_ahead,
            adapters=conversation.adapters if choices.adapters is None else choices.adapters,
        )
        try:
            self._dispatch.add(turn)
        except NoRoom:  # what is kept of it is marked at the next start
            self._live.remove(live)
            raise

    # --- the threads for replies -------------------------------------------------------------------------------------

    def _model_of(self, turn: Turn) -> str:
        """The id of the model it will be written with; '' where there is none, which its reply then says."""
        try:
            return self._loading.choice(turn.model_id).id
        except InglenookError:
            return ""

    def _write(self, turn: Turn) -> None:
        live = turn.live
        message: Message | None = None
        try:
            while not turn.stored.done() and not self._jobs.ending.is_set():
                _wait(turn.stored)
            if turn.stored.done():
                turn.stored.result()
            message = self._writing.write(turn)
        except InglenookError as error:  # the turn itself was refused: there is nothing to write to
            log.error("a turn was refused: %s", error.code)
            self._ground.trouble(error)
        except Exception as error:  # the edge of this thread: the turn must end
            log.exception("a turn failed")
            detail = type(error).__name__
            self._ground.trouble(ServiceError("The reply failed because of a fault in Inglenook.", detail=detail))
        finally:
            self._live.remove(live)
            self._keeping.settle(live.conversation_id)
            state = message.state if message is not None else ReplyState.FAILED
            facts = message.facts if message is not None else ReplyFacts()
            self._publisher.publish(
                ReplyChanged(conversation_id=live.conversation_id, message_id=live.message_id, state=state, facts=facts)
            )
            if not self._memory.is_temporary(live.conversation_id):
                self._publisher.publish(ConversationsChanged(ids=(live.conversation_id,)))
            live.ended.set()


def _sendable(text: str) -> str:
    """The text as it is kept, so that the model is asked the same now and later. Raises NothingToSend."""
    if not text.strip():
        raise NothingToSend("There is nothing to send: the message is empty.")
    return storable(text)


def _allowed(choices: Choices | None) -> Choices:
    """What was chosen. Raises NotAllowed."""
    choices = choices or Choices()
    check_sampling(choices.for_turn(Sampling()))
    check_scales(choices.adapters)
    return choices


def _wait(future: Future[None]) -> None:
    """Waits a moment; the caller looks whether the application ends meanwhile."""
    try:
        future.exception(POLL_S)
    except TimeoutError:
        return
