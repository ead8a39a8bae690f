"""An application made of values, with what the window asks for. Verbs are remembered; changes are published by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from app.base.errors import InglenookError
from app.base.paths import Places
from app.chat.messages import Conversation, Message, PathEntry, ReplyFacts, ReplyState, Role, SearchHit
from app.engine.values import LoadedModel, ModelFile, Sampling
from app.services.changes import (
    ConversationsChanged,
    EngineChanged,
    EngineState,
    PathChanged,
    Publisher,
    SettingsChanged,
)
from app.services.errors import NoModelFound
from app.services.sending import Choices, Sent
from app.settings.file import SettingsFile

NOW_MS = 1_790_000_000_000


def starter(**changes: Any) -> ModelFile:
    """The starter model as the library lists it."""
    model = ModelFile(
        id="starter",
        path="/resources/models/SmolLM2-135M-Instruct.Q4_1.gguf",
        name="SmolLM2-135M-Instruct",
        architecture="llama",
        quantization="Q4_1",
        size_bytes=98_000_000,
        n_params=134_515_008,
        n_ctx_train=8192,
        fingerprint="f0",
        is_starter=True,
        license="Apache-2.0",
    )
    return msgspec.structs.replace(model, **changes)


def loaded(model: ModelFile, n_ctx: int = 8192, *, can_think: bool = False) -> LoadedModel:
    """What the engine reports once `model` is loaded."""
    return LoadedModel(
        path=model.path,
        name=model.name,
        architecture=model.architecture,
        description="",
        size_bytes=model.size_bytes,
        n_params=model.n_params,
        n_ctx=n_ctx,
        n_ctx_train=model.n_ctx_train,
        n_vocab=49152,
        n_layer=30,
        n_gpu_layers=0,
        n_threads=2,
        tokenizer="t0",
        has_template=True,
        can_think=can_think,
        load_s=0.2,
    )


class FakeConversations:
    """Conversations as straight lists of messages; siblings share a parent and the last one is shown."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.rows: dict[str, Conversation] = {}
        self.messages: dict[str, list[Message]] = {}
        self.deleted: dict[str, Conversation] = {}
        self.drafts: dict[str, str] = {}
        self.hits: list[SearchHit] = []
        self.chosen: list[tuple[str, str]] = []
        self.configured: list[tuple[str, dict[str, Any]]] = []
        self.refuse: InglenookError | None = None
        self.other_wordings: dict[str, list[str]] = {}

    def add(self, title: str, messages: list[Message] | None = None, *, id: str = "", age_ms: int = 0) -> str:
        """Adds a conversation and its messages; returns its id."""
        conversation_id = id or f"c{len(self.rows) + 1}"
        own = [msgspec.structs.replace(m, conversation_id=conversation_id) for m in messages or []]
        self.messages[conversation_id] = own
        self.rows[conversation_id] = Conversation(
            id=conversation_id,
            title=title,
            created_ms=NOW_MS - age_ms,
            updated_ms=NOW_MS - age_ms,
            leaf_id=own[-1].id if own else None,
        )
        return conversation_id

    def list(self) -> list[Conversation]:
        return sorted(self.rows.values(), key=lambda row: -row.updated_ms)

    def get(self, conversation_id: str) -> Conversation | None:
        return self.rows.get(conversation_id)

    def path(self, conversation_id: str) -> list[PathEntry]:  # type: ignore[valid-type]
        return [
            PathEntry(
                id=m.id,
                role=m.role,
                state=m.state,
                length=len(m.text),
                newlines=m.text.count("\n"),
                sibling=len(self.other_wordings.get(m.id, [])),
                siblings=len(self.other_wordings.get(m.id, [])) + 1,
            )
            for m in self.messages.get(conversation_id, [])
        ]

    def message(self, message_id: str) -> Message:
        return next(m for messages in self.messages.values() for m in messages if m.id == message_id)

    def body(self, message_id: str) -> tuple[str, str]:
        message = self.message(message_id)
        return message.text, message.thinking

    def siblings(self, message_id: str) -> list[str]:  # type: ignore[valid-type]
        return [*self.other_wordings.get(message_id, []), message_id]

    def search(self, text: str) -> list[SearchHit]:  # type: ignore[valid-type]
        if self.refuse is not None:
            raise self.refuse
        return [hit for hit in self.hits if text.lower() in (hit.snippet + hit.title).lower()]

    def _tell(self, *ids: str) -> None:
        self._publisher.publish(ConversationsChanged(ids=ids))

    def rename(self, conversation_id: str, title: str) -> None:
        self.rows[conversation_id] = msgspec.structs.replace(self.rows[conversation_id], title=title)
        self._tell(conversation_id)

    def delete(self, conversation_id: str) -> None:
        self.deleted[conversation_id] = self.rows.pop(conversation_id)
        self._tell(conversation_id)

    def undo_delete(self, conversation_id: str) -> None:
        self.rows[conversation_id] = self.deleted.pop(conversation_id)
        self._tell(conversation_id)

    def choose(self, conversation_id: str, message_id: str) -> None:
        self.chosen.append((conversation_id, message_id))

    def configure(
        self,
        conversation_id: str,
        *,
        model_id: str | UnsetType | None = UNSET,
        system_prompt: str | UnsetType | None = UNSET,
        sampling: Sampling | UnsetType | None = UNSET,
    ) -> None:
        given = {"model_id": model_id, "system_prompt": system_prompt, "sampling": sampling}
        given = {name: value for name, value in given.items() if value is not UNSET}
        self.configured.append((conversation_id, given))
        self.rows[conversation_id] = msgspec.structs.replace(self.rows[conversation_id], **given)
        self._tell(conversation_id)

    def draft(self, conversation_id: str) -> str:
        return self.drafts.get(conversation_id, "")

    def set_draft(self, conversation_id: str, text: str) -> None:
        self.drafts[conversation_id] = text


@dataclass
class FakeLive:
    """A reply that is being written."""

    message_id: str
    state: ReplyState = ReplyState.WRITING


@dataclass
class FakeSending:
    """Remembers what was asked; `begin` makes the messages a send would make."""

    conversations: FakeConversations
    publisher: Publisher
    sent: list[tuple[str | None, str, Choices | None]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    regenerated: list[str] = field(default_factory=list)
    edited: list[tuple[str, str]] = field(default_factory=list)
    live: dict[str, FakeLive] = field(default_factory=dict)
    refuse: InglenookError | None = None

    def send(
        self, conversation_id: str | None, text: str, *, temporary: bool = False, choices: Choices | None = None
    ) -> Sent:
        if self.refuse is not None:
            raise self.refuse
        self.sent.append((conversation_id, text, choices))
        conversations = self.conversations
        where = conversation_id or conversations.add(text[:40])
        messages = conversations.messages[where]
        number = sum(len(m) for m in conversations.messages.values())
        parent = messages[-1].id if messages else None
        user = Message(id=f"u{number}", conversation_id=where, parent_id=parent, role=Role.USER, text=text)
        reply = Message(
            id=f"r{number}",
            conversation_id=where,
            parent_id=user.id,
            role=Role.ASSISTANT,
            text="",
            state=ReplyState.QUEUED,
        )
        messages += [user, reply]
        self.live[where] = FakeLive(reply.id)
        conversations.drafts.pop(conversation_id or "new", None)
        self.publisher.publish(ConversationsChanged(ids=(where,)))
        self.publisher.publish(PathChanged(conversation_id=where))
        return Sent(conversation_id=where, message_id=user.id, reply_id=reply.id)

    def stop(self, reply_id: str) -> None:
        self.stopped.append(reply_id)

    def regenerate(self, reply_id: str) -> str:
        self.regenerated.append(reply_id)
        return "r-again"

    def edit(self, message_id: str, text: str) -> Sent:
        self.edited.append((message_id, text))
        message = self.conversations.message(message_id)
        return Sent(conversation_id=message.conversation_id, message_id="u-edited", reply_id="r-edited")

    def live_reply(self, conversation_id: str) -> FakeLive | None:
        return self.live.get(conversation_id)


@dataclass
class FakeLoading:
    """Loads nothing; `become` publishes a state."""

    publisher: Publisher
    state: EngineChanged = field(default_factory=lambda: EngineChanged(state=EngineState.OFF))
    loads: list[str] = field(default_factory=list)
    cancelled: int = 0
    unloaded: int = 0
    warmed: int = 0

    def become(self, state: EngineState, model: ModelFile | None = None, **more: Any) -> None:
        """Publishes that the engine is in this state."""
        self.state = EngineChanged(
            state=state,
            model_id=model.id if model else "",
            model_name=model.name if model else "",
            model=loaded(model) if model and state is EngineState.READY else None,
            **more,
        )
        self.publisher.publish(self.state)

    def load(self, model_id: str) -> None:
        self.loads.append(model_id)

    def cancel(self) -> None:
        self.cancelled += 1

    def unload(self) -> None:
        self.unloaded += 1

    def warm(self) -> None:
        self.warmed += 1

    def context_limit(self) -> int:
        return self.state.model.n_ctx if self.state.model else 0


class FakeLibrary:
    """A list of models."""

    def __init__(self, models: list[ModelFile]) -> None:
        self.models = models
        self.added: list[Path] = []
        self.refuse: InglenookError | None = None
        self.refreshed = threading.Event()
        self.refreshed.set()

    def list(self) -> list[ModelFile]:
        return list(self.models)

    def refresh(self) -> None:
        self.refreshed.set()

    def add_file(self, path: Path) -> ModelFile:
        if self.refuse is not None:
            raise self.refuse
        self.added.append(path)
        model = starter(id=path.stem, name=path.stem, is_starter=False, path=str(path))
        self.models = [model, *self.models]
        return model


class FakeDiagnostics:
    """Two facts."""

    def text(self) -> str:
        return "version: 0\ndata_dir: ~"

    def report(self) -> dict[str, Any]:
        return {"version": "0"}


class FakeJobs:
    """Runs at once, on the calling thread."""

    def start(self, name: str, run: Callable[[], None]) -> None:
        run()


class FakeApplication:
    """Everything together, in a folder of its own."""

    def __init__(self, folder: Path, models: list[ModelFile] | None = None) -> None:
        self.places = Places(folder, folder / "logs")
        self.jobs = FakeJobs()
        self.publisher = Publisher()
        self.settings = SettingsFile(
            self.places.settings, on_change=lambda names: self.publisher.publish(SettingsChanged(names=names))
        )
        self.conversations = FakeConversations(self.publisher)
        self.sending = FakeSending(self.conversations, self.publisher)
        self.loading = FakeLoading(self.publisher)
        self.library = FakeLibrary([starter()] if models is None else models)
        self.diagnostics = FakeDiagnostics()
        self.closed = False

    def open(self) -> None:
        self.publisher.publish(ConversationsChanged())

    def close(self) -> None:
        self.closed = True


def no_model() -> NoModelFound:
    """What sending answers where there is no model."""
    return NoModelFound("There is no model yet.")


def facts(model: ModelFile, **more: Any) -> ReplyFacts:
    """The facts of a finished reply."""
    return ReplyFacts(model_id=model.id, model_name=model.name, n_ctx=8192, **more)
