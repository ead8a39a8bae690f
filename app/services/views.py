"""Makes the views of what a model would see, or saw: brings together conversation, model, counts and what is offered.

The rules are in `chat/selecting`, the list is made in `chat/overview`; nothing is changed here.
"""

from __future__ import annotations

import logging
import threading

import msgspec

from app.chat import context, overview, selecting
from app.chat.context_view import ContextEntry, ContextView, Policy
from app.chat.messages import Conversation, Message, ReplyFacts
from app.engine.errors import EngineError
from app.engine.values import ModelFile
from app.services.errors import NoModelFound, NoSuchThing
from app.services.growing import LongerWindows
from app.services.live import LiveReplies
from app.services.load_wishes import Ready
from app.services.loading import Loading
from app.services.lookup import Lookup
from app.services.prompts import DRAFT, Chosen, Count, Counter, Gathered, Prompts, Wanted
from app.services.summarising import Summarising
from app.settings.file import SettingsFile

log = logging.getLogger(__name__)

COUNT_TIMEOUT_S = 5.0
USUAL_N_CTX = 8192


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A view, and the messages that the window would let go when the next one is sent."""

    view: ContextView
    leaving: list[str]


class Views:
    """Thread-safe; waits for the store and the engine."""

    def __init__(
        self, lookup: Lookup, live_replies: LiveReplies, loading: Loading, prompts: Prompts, summarising: Summarising,
        growing: LongerWindows, settings: SettingsFile,
    ) -> None:  # fmt: skip
        self._lookup = lookup
        self._live = live_replies
        self._loading = loading
        self._prompts = prompts
        self._summarising = summarising
        self._growing = growing
        self._settings = settings

    def now(
        self, conversation_id: str, draft: str, *, load: threading.Event | None = None, estimated: bool = False
    ) -> Seen:
        """What would be seen now. With `load` the model is loaded first, unless that event is set; `estimated`: the
        engine is not asked. Raises NoSuchThing, what loading raises, and StoreErrors."""
        conversation = self._lookup.conversation(conversation_id) if conversation_id else _nobody()
        file, ready = self.model(conversation)
        if load is not None and ready is None and file is not None:
            ready = self._loading.ensure(file, load)
        wanted = self.wanted(conversation, file, ready, draft)
        gathered = self._with_live(self._prompts.gather(wanted))
        per_token = overview.characters_per_token(gathered.messages)
        chosen = self._prompts.choose(wanted, gathered)
        needs_choice, too_large, too_large_said, leaving = False, 0, "", list[str]()

        def full(fuller: Chosen, less: selecting.Selection) -> selecting.Selection:
            nonlocal needs_choice
            leaving.extend(less.ids[p] for p in range(less.first) if not less.standing(p).seen and
                           fuller.selection.standing(p).seen)  # fmt: skip
            if wanted.policy is Policy.ASK:
                needs_choice = True
                raise _AsItIsError
            begin = max(fuller.selection.note_end, len(gathered.before))
            if wanted.policy is Policy.SUMMARISE and begin < less.first:
                note_first = less.note_first if less.note is not None else begin
                return msgspec.structs.replace(less, note_first=note_first, note_end=less.first)
            return less

        def counted(count: Counter) -> Chosen:
            nonlocal too_large, too_large_said
            try:
                return self._prompts.fitted(wanted, chosen, count, full)
            except _AsItIsError:
                pass
            except context.TooLarge as error:
                too_large, too_large_said = error.tokens, error.said
            return msgspec.structs.replace(chosen, count=count(chosen.prompt))

        exact = ready is not None and not estimated and bool(chosen.prompt.messages)
        try:
            ahead = load is None and self._settings.current.engine.read_ahead
            asked = self._prompts.count(wanted, COUNT_TIMEOUT_S, ahead=ahead)
            fitted = counted(asked if exact else _reckoning(wanted, per_token))
        except EngineError as error:
            log.info("a prompt could not be counted: %s", error.code)
            exact, leaving = False, []
            fitted = counted(_reckoning(wanted, per_token))
        count = fitted.count or Count(0, [], wanted.n_ctx)
        writing = self._summarising.so_far(conversation_id)
        last = selecting.last_reply(gathered.path)
        needed = max(count.total, too_large) + wanted.reserve if needs_choice or too_large else 0
        cells = ready.model.n_cells if ready is not None else 0
        options = self._loading.options(file.id) if file is not None else None
        growth = self._growing.growth(file, options, wanted.n_ctx, cells, needed) if file and options else None
        view = ContextView(
            conversation_id=conversation_id,
            model_name=file.name if file is not None else "",
            limit=wanted.n_ctx,
            used=count.total,
            reserve=wanted.reserve,
            entries=_entries(fitted, wanted.system_prompt, fitted.note, per_token),
            policy=wanted.policy,
            exact=exact,
            cached=count.cached,
            note=writing or fitted.note,
            summarising=writing is not None,
            needs_choice=needs_choice,
            too_large=too_large,
            too_large_said=too_large_said,
            waiting=self._loading.waiting,
            grow_to=growth.n_ctx if growth is not None else 0,
            grow_bytes=growth.size_bytes if growth is not None else 0,
            read_again=_read_again(last.facts) if last is not None and last.facts is not None else "",
        )
        return Seen(view=view, leaving=leaving)

    def past(self, reply_id: str) -> ContextView:
        """What the model saw when it wrote this reply, from the reply's facts. The sum was counted, the share of each
        message is reckoned. Raises NoSuchThing, and StoreErrors."""
        reply = self._lookup.message(reply_id)
        facts = reply.facts
        if facts is None or facts.generation is None or reply.parent_id is None:
            raise NoSuchThing("Nothing is known of what the model saw for this reply.", detail=reply_id)
        wanted = Wanted(
            conversation_id=reply.conversation_id,
            leaf_id=reply.parent_id,
            model_id=facts.model_id,
            n_ctx=facts.n_ctx,
            system_prompt=facts.system_prompt,
            max_tokens=facts.sampling.max_tokens if facts.sampling is not None else 0,
        )
        gathered = self._prompts.gather(wanted)
        selection = selecting.as_seen(gathered.ids, facts, gathered.notes)
        far = [step.id for step in gathered.before if step.id in facts.kept_before]
        gathered = msgspec.structs.replace(gathered, far=self._lookup.many(reply.conversation_id, far))
        chosen = self._prompts.with_selection(wanted, gathered, selection)
        per_token = overview.characters_per_token(gathered.messages)
        used = facts.generation.prompt_tokens
        spans = overview.scaled(overview.reckon(chosen.prompt, per_token), used)
        chosen = msgspec.structs.replace(chosen, count=Count(used, spans, facts.n_ctx, 0))
        return ContextView(
            conversation_id=reply.conversation_id,
            model_name=facts.model_name,
            limit=facts.n_ctx,
            used=used,
            reserve=wanted.reserve,
            entries=_entries(chosen, facts.system_prompt, facts.note, per_token),
            cached=facts.generation.cached_tokens,
            note=facts.note,
            read_again=_read_again(facts),
        )

    def model(self, conversation: Conversation) -> tuple[ModelFile | None, Ready | None]:
        """The model that would write, and if it is loaded, as what."""
        try:
            file = self._loading.choice(conversation.model_id)
        except NoModelFound:
            return None, None
        ready = self._loading.ready
        return file, ready if ready is not None and ready.file.id == file.id else None

    def wanted(
        self, conversation: Conversation, file: ModelFile | None, ready: Ready | None, draft: str = ""
    ) -> Wanted:
        """What the prompt of the next reply is wanted for."""
        settings = self._settings.current
        sampling = conversation.sampling or settings.generation.sampling()
        usual = settings.engine.n_ctx or USUAL_N_CTX
        trained = file.n_ctx_train if file is not None and file.n_ctx_train else usual
        return Wanted(
            conversation_id=conversation.id,
            leaf_id=conversation.leaf_id or "",
            model_id=file.id if file is not None else "",
            n_ctx=ready.model.n_ctx if ready is not None else min(usual, trained),
            tokenizer=ready.model.tokenizer if ready is not None else "",
            system_prompt=conversation.system_prompt or settings.generation.system_prompt,
            policy=conversation.policy,
            max_tokens=sampling.max_tokens,
            draft=draft,
            adapters=conversation.adapters,
        )

    def _with_live(self, gathered: Gathered) -> Gathered:
        """The reply that is being written, as far as it is."""
        if not gathered.path:
            return gathered
        path = [self._live_message(message) if message.state.live else message for message in gathered.path]
        return msgspec.structs.replace(gathered, path=path)

    def _live_message(self, message: Message) -> Message:
        live = self._live.get(message.id)
        if live is None:
            return message
        now = live.snapshot()
        return msgspec.structs.replace(message, text=now.text, thinking=now.thinking, state=now.state)


class _AsItIsError(Exception):
    """Nothing may leave."""


def _reckoning(wanted: Wanted, per_token: float) -> Counter:
    return lambda prompt: Count(sum(spans := overview.reckon(prompt, per_token)), spans, wanted.n_ctx - 1)


def _entries(chosen: Chosen, instructions: str, note: str, per_token: float) -> tuple[ContextEntry, ...]:
    found = overview.entries(
        chosen.gathered.before,
        chosen.gathered.messages,
        chosen.selection,
        chosen.tokens,
        instructions=instructions,
        note=note,
        characters_per_token=per_token,
    )
    if found and found[-1].message_id == DRAFT:
        found = (*found[:-1], msgspec.structs.replace(found[-1], message_id=""))
    return found


def _nobody() -> Conversation:
    """A conversation that does not exist yet."""
    return Conversation(id="", title="", created_ms=0, updated_ms=0)


def _read_again(facts: ReplyFacts) -> str:
    if not facts.reread_tokens:
        return ""
    return (
        f"The model had to read {facts.reread_tokens:,} tokens again for the last reply, although nothing of yours had "
        "changed: its template writes earlier messages differently from turn to turn."
    )
