"""Reading and arranging conversations, from the store or from memory, with the text of replies that are still being
written."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from concurrent.futures import Future

import msgspec
from msgspec import UNSET, UnsetType

from app.base.errors import InglenookError
from app.chat.context_view import Policy
from app.chat.messages import Conversation, Message, PathEntry, SearchHit
from app.engine.values import Adapter, Sampling
from app.services.changes import ContextChanged, ConversationsChanged, PathChanged, Publisher
from app.services.errors import NoSuchThing
from app.services.ground import Ground
from app.services.keeping import TROUBLE
from app.services.live import LiveReplies
from app.services.memory import Memory, Write
from app.services.ranges import check_sampling, check_scales
from app.services.snapshots import Snapshots

NEW = "new"


class Conversations:
    """Reads return at once; writes are followed by a change. Before the store is open there are none, which is no
    error."""

    def __init__(
        self, ground: Ground, memory: Memory, live_replies: LiveReplies, snapshots: Snapshots, publisher: Publisher
    ) -> None:
        self._ground = ground
        self._memory = memory
        self._live = live_replies
        self._snapshots = snapshots
        self._publisher = publisher

    def list(self) -> list[Conversation]:
        """Those not deleted, the last updated first. Temporary ones are not listed."""
        store = self._ground.open_store
        stored = store.conversations.list() if store is not None else []
        unsaved = self._memory.unsaved_conversations()
        if not unsaved:
            return stored
        known = {conversation.id for conversation in stored}
        return [conversation for conversation in unsaved if conversation.id not in known] + stored

    def get(self, conversation_id: str) -> Conversation | None:
        """A conversation by its id, temporary ones too."""
        store = self._ground.open_store
        held = self._memory.conversation(conversation_id)
        return held or (store.conversations.get(conversation_id) if store is not None else None)

    def find(self, what: str) -> Conversation:
        """By id, by an unambiguous beginning of it, or 'last'. Raises NoSuchThing."""
        found = self._ground.store.conversations.find(what)
        if len(found) > 1:
            raise NoSuchThing(f"More than one conversation begins with '{what}'. Give more of its id.")
        conversation = self.get(found[0]) if found else None
        if conversation is None:
            last = what.strip().lower() == "last"
            raise NoSuchThing("There is no conversation yet." if last else f"There is no conversation '{what}'.")
        return conversation

    def path(self, conversation_id: str) -> builtins.list[PathEntry]:
        """The visible path, root first. Live replies of this process have their state and length of this moment."""
        tree = self._memory.tree(conversation_id)
        store = self._ground.open_store
        if tree is not None:
            entries = tree.entries()
        else:
            entries = store.messages.path(conversation_id) if store is not None else []
        live = {one.message_id for one in self._live.all()}
        if not live:
            return entries
        return [self._with_live(entry) if entry.id in live and entry.state.live else entry for entry in entries]

    def message(self, message_id: str) -> Message:
        """A message with its text, also while it is written. Raises NoSuchThing and StoreErrors."""
        message = self._memory.message(message_id) or self._ground.store.messages.get(message_id)
        live = self._live.get(message_id)
        if live is None:
            return message
        now = live.snapshot()
        return msgspec.structs.replace(message, text=now.text, thinking=now.thinking, state=now.state)

    def body(self, message_id: str) -> tuple[str, str]:
        """Text and thinking."""
        if (live := self._live.get(message_id)) is not None:
            now = live.snapshot()
            return now.text, now.thinking
        if (held := self._memory.message(message_id)) is not None:
            return held.text, held.thinking
        return self._ground.store.messages.body(message_id)

    def siblings(self, message_id: str) -> builtins.list[str]:
        """The message and its siblings, oldest first."""
        tree = self._memory.tree_of(message_id)
        return tree.siblings(message_id) if tree is not None else self._ground.store.messages.siblings(message_id)

    def messages(self, conversation_id: str) -> builtins.list[Message]:
        """The visible path with texts and facts."""
        return [self.message(entry.id) for entry in self.path(conversation_id)]

    def search(self, text: str, limit: int = 50) -> builtins.list[SearchHit]:
        """Matches in titles and texts."""
        store = self._ground.open_store
        return store.search.search(text, limit) if store is not None and text.strip() else []

    def rename(self, conversation_id: str, title: str) -> None:
        """Gives a title of the person's own."""
        title = " ".join(title.split())
        held = self._memory.conversation(conversation_id)
        if held is not None:
            self._memory.change(msgspec.structs.replace(held, title=title, title_by_person=True))
        self._write(conversation_id, lambda store: store.conversations.rename(conversation_id, title, by_person=True))

    def opened(self, conversation_id: str) -> None:
        """A person looks at this conversation now ('' for a new one): the engine gets ready to go on with it."""
        self._snapshots.opened(conversation_id)

    def delete(self, conversation_id: str) -> None:
        """Takes the conversation off the list; `undo_delete` brings it back. A reply being written there is stopped."""
        for live in self._live.all():
            if live.conversation_id == conversation_id:
                live.ask_to_stop()
        self._snapshots.deleted(conversation_id)
        if self._memory.is_temporary(conversation_id):
            self._memory.forget(conversation_id)
            return
        self._set_deleted(conversation_id, True)

    def undo_delete(self, conversation_id: str) -> None:
        """Brings a deleted conversation back."""
        self._set_deleted(conversation_id, False)

    def choose(self, conversation_id: str, message_id: str) -> None:
        """Shows the path through this message."""
        tree = self._memory.tree(conversation_id)
        if tree is not None:
            tree.choose(message_id)
        self._write(
            conversation_id,
            lambda store: store.messages.choose(conversation_id, message_id),
            lambda: self._publisher.publish(PathChanged(conversation_id=conversation_id)),
        )

    def configure(
        self,
        conversation_id: str,
        *,
        model_id: str | UnsetType = UNSET,
        system_prompt: str | UnsetType = UNSET,
        sampling: Sampling | UnsetType | None = UNSET,
        policy: Policy | UnsetType = UNSET,
        adapters: tuple[Adapter, ...] | UnsetType = UNSET,
    ) -> None:
        """Changes what is given. For `sampling` None means the defaults of the settings again; so does '' for the
        others. Raises NotAllowed for a number outside its range."""
        check_sampling(None if sampling is UNSET else sampling)
        check_scales(None if adapters is UNSET else adapters)
        held = self._memory.conversation(conversation_id)
        if held is not None:
            given = {
                "model_id": model_id, "system_prompt": system_prompt, "sampling": sampling, "policy": policy,
                "adapters": adapters,
            }  # fmt: skip
            self._memory.change(
                msgspec.structs.replace(held, **{name: value for name, value in given.items() if value is not UNSET})
            )
        self._write(
            conversation_id,
            lambda store: store.conversations.configure(
                conversation_id,
                model_id=model_id,
                system_prompt=system_prompt,
                sampling=sampling,
                policy=policy,
                adapters=adapters,
            ),
            lambda: self._publisher.publish(ContextChanged(conversation_id=conversation_id)),
        )

    def draft(self, conversation_id: str = NEW, message_id: str = "") -> str:
        """What stands unsent in the composer of this conversation or of a new one, or for a message being edited."""
        store = self._ground.open_store
        if store is None or self._memory.is_temporary(conversation_id):
            return ""
        return store.conversations.draft(message_id or conversation_id)

    def edit_draft(self, conversation_id: str) -> tuple[str, str] | None:
        """The message of this conversation that is being edited, and its wording so far."""
        store = self._ground.open_store
        if store is None or self._memory.is_temporary(conversation_id):
            return None
        return store.conversations.edit_draft(conversation_id)

    def set_draft(self, conversation_id: str, text: str, message_id: str = "") -> None:
        """Keeps an unsent text, that of a message being edited if one is given; one of a temporary conversation is
        kept nowhere."""
        store = self._ground.open_store
        if store is not None and not self._memory.is_temporary(conversation_id):
            store.conversations.set_draft(message_id or conversation_id, text).add_done_callback(self._tell_refusal)

    def _with_live(self, entry: PathEntry) -> PathEntry:
        live = self._live.get(entry.id)
        if live is None:
            return entry
        now = live.snapshot()
        return msgspec.structs.replace(entry, state=now.state, length=len(now.text), newlines=now.text.count("\n"))

    def _set_deleted(self, conversation_id: str, deleted: bool) -> None:
        self._memory.hide(conversation_id, deleted)
        self._write(conversation_id, lambda store: store.conversations.set_deleted(conversation_id, deleted))

    def _write(self, conversation_id: str, write: Write, then: Callable[[], None] | None = None) -> None:
        """Writes, and tells. What belongs to a conversation that the disk refused so far waits with the rest of it."""

        def tell() -> None:
            self._publisher.publish(ConversationsChanged(ids=(conversation_id,)))
            if then is not None:
                then()

        if self._memory.is_temporary(conversation_id) or self._memory.defer(conversation_id, write):
            tell()
            return
        write(self._ground.store).add_done_callback(lambda future: tell() if self._tell_refusal(future) else None)

    def _tell_refusal(self, future: Future[None]) -> bool:
        error = future.exception()
        if isinstance(error, InglenookError):
            self._ground.trouble(error, TROUBLE)
        elif error is not None:
            raise error
        return error is None
