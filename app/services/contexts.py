"""What the model sees of a conversation, and the verbs around it: pin, leave out, summarise, choose a policy, grow.

Reads what the store, the loaded model and the engine know; the rules are in `chat/selecting`. Each verb returns at
once, and what came of it arrives as ContextChanged. One thread makes the views, one after the other.
"""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future

import msgspec

from app.base.errors import InglenookError
from app.chat import selecting
from app.chat.context_view import ContextView, Mark, Policy
from app.chat.messages import Conversation, Role
from app.services.changes import ContextChanged, Publisher
from app.services.conversations import Conversations
from app.services.errors import NoSuchThing, NoteFailed, ServiceError
from app.services.ground import Ground
from app.services.jobs import CONTEXTS, NOTES, Jobs
from app.services.live import LiveReplies
from app.services.loading import Loading
from app.services.lookup import Lookup
from app.services.marking import Marking
from app.services.prompts import Prompts
from app.services.summarising import Summarising
from app.services.views import Views

log = logging.getLogger(__name__)

KEPT_TURNS = 2
"""So many of the newest turns are never summarised on request."""

TROUBLE = "note"


class _Asked(msgspec.Struct):
    """A view that somebody waits for."""

    draft: str
    load: bool
    futures: list[Future[ContextView]] = []


class Contexts:
    """Thread-safe. Raises ServiceErrors for what cannot be asked."""

    def __init__(
        self, ground: Ground, lookup: Lookup, conversations: Conversations, live_replies: LiveReplies, loading: Loading,
        prompts: Prompts, summarising: Summarising, marking: Marking, views: Views, publisher: Publisher,
        jobs: Jobs,
    ) -> None:  # fmt: skip
        self._ground = ground
        self._lookup = lookup
        self._conversations = conversations
        self._live = live_replies
        self._loading = loading
        self._prompts = prompts
        self._summarising = summarising
        self._marking = marking
        self._views = views
        self._publisher = publisher
        self._jobs = jobs
        self._lock = threading.Lock()
        self._tasks: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._asked: dict[str, _Asked] = {}
        self._running = False
        self._stops: dict[str, threading.Event] = {}  # notes that were asked for, by conversation
        self._leaving: dict[str, list[str]] = {}  # as the last view of a conversation had it

    # --- what is seen -----------------------------------------------------------------------------------------------

    def view(self, conversation_id: str, draft: str = "", *, load: bool = False) -> Future[ContextView]:
        """What the model would see if `draft` were sent now; estimated when its model is not loaded, unless it is to
        `load` for this. An empty id is a conversation that does not exist yet. While another view of the same
        conversation waits, both get the answer to the later one. The future may raise InglenookError."""
        future: Future[ContextView] = Future()
        with self._lock:
            known = self._asked.get(conversation_id)
            if known is not None:
                known.draft = draft
                known.load |= load
                known.futures.append(future)
                return future
            self._asked[conversation_id] = _Asked(draft, load, [future])
            start, self._running = not self._running, True
        self._tasks.put(conversation_id)
        if start:
            self._jobs.start(CONTEXTS, self._work)
        return future

    def seen_by(self, reply_id: str) -> Future[ContextView]:
        """What the model saw when it wrote this reply, from the reply's facts. The sum was counted, the share of each
        message is reckoned. The future may raise InglenookError; a long conversation takes some tenths of a second."""
        future: Future[ContextView] = Future()

        def look() -> None:
            try:
                future.set_result(self._views.past(reply_id))
            except Exception as error:  # the edge of this thread: the error is the future's
                if not isinstance(error, InglenookError):
                    log.exception("what a reply saw could not be found out")
                future.set_exception(error)

        self._jobs.start(CONTEXTS, look)
        return future

    # --- marks ------------------------------------------------------------------------------------------------------

    def pin(self, message_id: str) -> Future[None]:
        """Keeps a message in the prompt whatever else must go."""
        return self._mark(message_id, Mark.PINNED)

    def leave_out(self, message_id: str) -> Future[None]:
        """Never sends a message again, until `unmark`. The newest one is sent all the same."""
        return self._mark(message_id, Mark.LEFT_OUT)

    def unmark(self, message_id: str) -> Future[None]:
        """Takes back pinning or leaving out."""
        return self._mark(message_id, None)

    def leave_out_oldest(self, conversation_id: str) -> None:
        """Leaves out by hand what the window would let go now, so that the last message can be sent again."""
        with self._lock:
            ids = self._leaving.pop(conversation_id, None)
        if ids is None:  # nobody looked before: as far as it can be told without the engine
            ids = self._views.now(conversation_id, "", estimated=True).leaving
        if not ids:
            raise ServiceError("Nothing has to be left out: the conversation fits.")
        self._marking.mark(conversation_id, ids, Mark.LEFT_OUT)

    # --- policy, notes, window --------------------------------------------------------------------------------------

    def set_policy(self, conversation_id: str, policy: Policy) -> None:
        """What happens when the window is full."""
        self._conversations.configure(conversation_id, policy=policy)

    def summarise(self, conversation_id: str) -> Future[None]:
        """The model writes a note of the oldest turns; NoteGrew on the way, ContextChanged at the end. What goes wrong
        is told as a trouble, and raised by the future; raises NoteFailed at once when there is too little."""
        conversation = self._lookup.conversation(conversation_id)
        ids, users = self._turns(conversation)
        if len(users) <= KEPT_TURNS:
            raise NoteFailed("There is nothing to summarise yet: the conversation is short.")
        future: Future[None] = Future()
        stop = threading.Event()
        self._summarising.begin(conversation_id)
        with self._lock:
            self._stops[conversation_id] = stop
        self._ground.trouble_over(TROUBLE)
        self._jobs.start(NOTES, lambda: self._summarise(conversation, ids[users[-KEPT_TURNS]], stop, future))
        self._publisher.publish(ContextChanged(conversation_id=conversation_id))
        return future

    def stop_summarising(self, conversation_id: str) -> None:
        """Gives up the note that is being written; the one before it stays."""
        with self._lock:
            stop = self._stops.get(conversation_id)
        live = self._live.of(conversation_id)
        if stop is not None:
            stop.set()
        elif live is not None and self._summarising.so_far(conversation_id) is not None:
            live.ask_to_stop()  # the reply that waits for the note

    def set_note(self, conversation_id: str, text: str) -> None:
        """The person's own words in place of the note's; an empty text removes it."""
        if not text.strip():
            self.remove_note(conversation_id)
            return
        note = self._selection(conversation_id).note
        if note is None:
            raise NoSuchThing("This conversation has no summary.", detail=conversation_id)
        self._marking.set_note(msgspec.structs.replace(note, text=text.strip(), by_person=True))

    def remove_note(self, conversation_id: str) -> None:
        """The turns are sent themselves again, as far as they fit. Older notes on the same path go too."""
        ids = {*self._selection(conversation_id).ids}
        for note in self._marking.notes(conversation_id):
            if note.upto_id in ids:
                self._marking.remove_note(note)

    def grow(self, conversation_id: str, n_ctx: int) -> None:
        """Loads the model with a longer context, from now on. Raises NotSaved when that cannot be kept."""
        conversation = self._conversations.get(conversation_id)
        file = self._loading.choice(conversation.model_id if conversation is not None else "")
        if file.n_ctx_train and n_ctx > file.n_ctx_train:
            raise ServiceError(f"The model was trained for {file.n_ctx_train:,} tokens, not for {n_ctx:,}.")
        self._loading.lengthen(file.id, n_ctx)
        self._publisher.publish(ContextChanged(conversation_id=conversation_id))

    def close(self) -> None:
        """Ends the thread, and notes being written."""
        with self._lock:
            for stop in self._stops.values():
                stop.set()
        self._tasks.put(None)

    # --- making views -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (conversation_id := self._tasks.get()) is not None:
            with self._lock:
                asked = self._asked.pop(conversation_id)
            futures = [future for future in asked.futures if future.set_running_or_notify_cancel()]
            try:
                load = self._jobs.ending if asked.load else None
                seen = self._views.now(conversation_id, asked.draft, load=load) if futures else None
            except Exception as error:  # the edge of this thread: the error is the futures'
                if not isinstance(error, InglenookError):
                    log.exception("a view of a conversation failed")
                for future in futures:
                    future.set_exception(error)
                continue
            if seen is not None:
                with self._lock:
                    self._leaving[conversation_id] = seen.leaving
                for future in futures:
                    future.set_result(seen.view)

    def _selection(self, conversation_id: str) -> selecting.Selection:
        conversation = self._lookup.conversation(conversation_id)
        return self._prompts.choose(self._views.wanted(conversation, *self._views.model(conversation))).selection

    def _mark(self, message_id: str, mark: Mark | None) -> Future[None]:
        message = self._lookup.message(message_id)
        return self._marking.mark(message.conversation_id, [message_id], mark)

    # --- summarising ------------------------------------------------------------------------------------------------

    def _turns(self, conversation: Conversation) -> tuple[list[str], list[int]]:
        """The path, and where in it a turn begins."""
        gathered = self._prompts.gather(self._views.wanted(conversation, *self._views.model(conversation)))
        roles = [*(step.role for step in gathered.before), *(message.role for message in gathered.path)]
        return gathered.ids, [place for place, role in enumerate(roles) if role is Role.USER]

    def _summarise(self, conversation: Conversation, upto_id: str, stop: threading.Event, future: Future[None]) -> None:
        """On a thread of its own: `upto_id` is the first message that is not summarised."""
        error: BaseException | None = None
        try:
            file = self._loading.choice(conversation.model_id)
            while True:
                ready = self._loading.ensure(file, stop)
                with self._loading.engine_in_use.use():
                    if self._loading.ready is ready:
                        wanted = self._views.wanted(conversation, file, ready)
                        chosen = self._prompts.choose(wanted)
                        upto = chosen.selection.ids.index(upto_id)
                        if upto <= chosen.selection.note_end:
                            raise NoteFailed("The older turns are summarised already.")
                        note = self._summarising.write(wanted, chosen, upto, stop, lambda _: None)
                        self._marking.set_note(note).result()
                        break
        except InglenookError as raised:
            error = raised
            if not stop.is_set():
                self._ground.trouble(raised, TROUBLE)
        except Exception as raised:  # the edge of this thread: the note must end in a state
            log.exception("a summary failed")
            error = raised
        with self._lock:
            self._stops.pop(conversation.id, None)
        self._summarising.end(conversation.id)
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(None)
